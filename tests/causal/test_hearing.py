"""What is kept of a clip that was listened to: the same returns, and for this clip alone."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.causal.experiment import sweep as sweeps
from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.hearing import ListeningSettings, Returns, returns_form
from leitmotif.causal.experiment.prefixes import Prefix
from leitmotif.causal.experiment.runner import Clip
from leitmotif.causal.experiment.sweep import Sweep
from leitmotif.recurrence.continuation import Return
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.tables.base import Span
from leitmotif.work.parallel import WORKERS
from tests.causal.test_sweep import sweep  # noqa: F401, a fixture

MOTIFS = [Span(start_sample=0, samples=9_000), Span(start_sample=400, samples=16_000)]
LISTENING = ListeningSettings(SearchSettings(), {"a": MOTIFS, "b": MOTIFS[:1]})
Asked = list[str]


def clip(track: str = "a", seed: int = 0, *, frames: int = 6, finite: bool = True) -> Clip:
    codes = torch.full((4, frames), seed)
    prefix = Prefix(track, codes[:, :2])
    return Clip("", prefix, Condition("baseline"), seed, codes, finite)


def key(of: Clip, listening: ListeningSettings = LISTENING) -> object:
    (only,) = returns_form(listening).keys(of)
    return only


numbers = st.floats(allow_nan=False, allow_infinity=False)
found = st.builds(
    Return,
    motif=st.just(MOTIFS[0]),
    recurs=st.booleans(),
    start=st.none() | numbers,
    transposition=st.integers(-24, 24),
    score=numbers,
    p=st.floats(0, 1),
)


@given(st.none() | found)
def test_what_is_kept_is_what_was_heard(one: Return | None) -> None:
    returns: Returns | None = None if one is None else (one, replace(one, motif=MOTIFS[1]))
    form = returns_form(LISTENING)
    assert form.result(clip(), form.tensors(clip(), returns)) == returns


def test_whatever_decides_it_is_in_its_address() -> None:
    later = Span(start_sample=640, samples=100)
    others = [
        key(clip(seed=1)),
        key(clip("b")),
        key(clip(frames=7)),
        key(clip(finite=False)),
        key(clip(), replace(LISTENING, heard={"a": later})),
        key(replace(clip(), prefix=Prefix("a", clip().codes[:, :3]))),
    ]
    assert key(clip()) not in others
    assert key(clip()) == key(clip(), replace(LISTENING, heard={"b": later}))


def test_it_is_heard_once_by_however_many_processes_and_in_the_order_of_the_clips(
    sweep: Sweep,  # noqa: F811
    prefixes: list[Prefix],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    motif = Span(start_sample=0, samples=9_600)
    motifs: dict[str, Sequence[Span]] = {prefix.track_id: [motif] for prefix in prefixes}
    own = replace(sweep, cache=tmp_path, listening=replace(sweep.listening, motifs=motifs))
    clips = list(own.make(prefixes, [Condition("baseline")]))
    monkeypatch.setenv(WORKERS, "2")
    heard = list(own.returns(clips))
    assert len(heard) == len(clips)
    assert any(heard)
    monkeypatch.setattr(sweeps, "returns_of", None)
    assert list(own.returns(clips)) == heard
    assert list(own.returns(clips[::-1])) == heard[::-1]
    stricter = replace(own, listening=replace(own.listening, min_score=0.9))
    monkeypatch.setenv(WORKERS, "1")
    with pytest.raises(TypeError):  # has to be heard again
        list(stricter.returns(clips))
