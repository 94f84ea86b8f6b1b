"""Events of recordings: what their twins share, how they are read, and the organisms' truth.

The openings are those of composed music, whose truth is known: a motif and a cue, and what the
score puts after them.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor

from leitmotif.causal.experiment.prefixes import Opening, prefix_of
from leitmotif.causal.experiment.recorded import recorded_events
from leitmotif.causal.experiment.resampled import OpenedPrefix, OpeningTrial
from leitmotif.causal.experiment.twins import Twins
from leitmotif.causal.interchange import study
from leitmotif.causal.interchange.exchange import Interchange, StepWindow
from leitmotif.causal.interchange.study import exchange_in_trials
from leitmotif.claims import Claims
from leitmotif.config import load_params
from leitmotif.corpus.organism.world import load_world
from leitmotif.musicgen import HookedMusicGen
from leitmotif.recurrence.continuation import Return
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.work.parallel import WORKERS
from tests.causal.test_events import composed
from tests.causal.test_interchange import organism

SLOT, OPENING, CUE = 384, 32, range(32, 64)
"""Frames: the second slot, an opening, and the cue, which the opening is."""
MOTIF = Span(start_sample=0, samples=20_480)
Opened = dict[str, list[OpenedPrefix]]


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKERS, "1")


def way(codes: Tensor, returns: bool, seed: int = 0) -> OpenedPrefix:
    """An opening of which one trial was heard, codes [K, T]."""
    opened, heard = codes[:, : CUE.stop], Return(MOTIF, returns, SLOT / 50, 0, 0.9, 0.01)
    return OpenedPrefix(opened, Opening(seed, OPENING), [OpeningTrial(codes, (heard,))])


def openings(
    model: HookedMusicGen, tracks: Sequence[ManifestTrack], root: Path, twins: Twins
) -> Opened:
    """Of each piece: its own cue, that of the opposite second slot, that of the first, and the
    second again, as an opening that is no donor."""
    opened: Opened = {}
    for track in tracks:
        returns = twins.decisions[track.track_id][1]
        own = prefix_of(model, track, root, seconds=track.seconds).codes
        other, same = (
            piece
            for slot in (1, 0)
            if (piece := twins.counterfactual_piece(model, track.track_id, slot)) is not None
        )
        says = ((own, returns), (other, not returns), (same, returns), (other, not returns))
        opened[track.track_id] = [way(codes, has, n) for n, (codes, has) in enumerate(says)]
    return opened


@pytest.fixture(scope="module")
def of_pieces(
    repo_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[HookedMusicGen, Opened]:
    root, model = tmp_path_factory.mktemp("recorded"), organism(repo_root, "planner")
    tracks, twins = composed(load_world(repo_root / "models/organism/world.json"), root, 10)
    return model, openings(model, tracks, root, twins)


def test_twins_differ_in_the_opening_alone(of_pieces: tuple[HookedMusicGen, Opened]) -> None:
    model, opened = of_pieces
    both = recorded_events(model, opened)
    assert [(own.track_id, own.returns) for own, _ in both] == list(product(opened, (True, False)))
    events = [pair for pair in both if pair[0].returns == opened[pair[0].track_id][0].returns]
    for own, other in events:
        first = opened[own.track_id][0]
        assert own.returns == other.returns
        trial = first.trials[0].codes
        for event in (own, other):
            assert event.onset == event.frame == SLOT - 8
            assert event.gap == range(68, SLOT - 8)
            assert event.deciding == range(33, 68)
            assert torch.equal(event.codes[:, : event.frame], trial[:, : event.frame])
            assert event.ending == tuple(event.codes[0, event.frame :].tolist())
            for donor, number in ((event.counterfactual, 1), (event.control, 2)):
                assert donor is not None
                assert torch.equal(donor[:, 64:], event.codes[:, 64:])
                assert torch.equal(donor[:, :64], opened[own.track_id][number].codes)
        last = SLOT - 8 + len(own.ending)
        assert own.ending == tuple(trial[0, SLOT - 8 : last].tolist())
        # Eight frames more than what they have in common.
        assert len(own.ending) == len(other.ending) >= 16
        assert own.ending[:-8] == other.ending[:-8]
        assert own.ending[-8] != other.ending[-8]


def test_the_other_ending_is_of_an_opening_that_is_no_donor(
    of_pieces: tuple[HookedMusicGen, Opened],
) -> None:
    model, opened = of_pieces
    track, ways = next(iter(opened.items()))
    changed = ways[1].trials[0].codes.clone()
    changed[:, SLOT:] = (changed[:, SLOT:] + 1) % 256
    events = recorded_events(model, {track: [*ways[:3], way(changed, ways[1].returns, 9)]})
    (pair,) = (pair for pair in events if pair[0].returns == ways[0].returns)
    assert pair[1].ending[8:] == tuple(changed[0, SLOT : SLOT + 8].tolist())
    assert torch.equal(pair[1].counterfactual[:, :64], ways[1].codes)


def test_openings_that_agree_or_endings_that_do_not_differ_make_no_event(
    of_pieces: tuple[HookedMusicGen, Opened],
) -> None:
    model, opened = of_pieces
    own, _, same, _ = next(iter(opened.values()))
    assert recorded_events(model, {"x": [own, same]}) == []
    alike = [way(own.trials[0].codes, not own.returns, seed) for seed in (5, 6)]
    assert recorded_events(model, {"x": [own, replace(own), *alike]}) == []


def test_a_donor_does_not_give_the_ending_that_it_makes_likely(
    of_pieces: tuple[HookedMusicGen, Opened],
) -> None:
    """With one opening of the other kind, that would be the donor's own."""
    model, opened = of_pieces
    own, other, same, no_donor = next(iter(opened.values()))
    assert recorded_events(model, {"x": [own, other, same]}) == []
    assert len(recorded_events(model, {"x": [own, other, same, no_donor]})) == 2


def test_an_ending_of_one_token_is_read_as_that_token(
    of_pieces: tuple[HookedMusicGen, Opened],
) -> None:
    """The log-odds of two endings are those of two tokens, if they are no longer than that."""
    model, opened = of_pieces
    pairs = [
        tuple(replace(event, ending=event.ending[:1]) for event in pair)
        for pair in recorded_events(model, opened)[:3]
    ]
    single = [
        replace(
            own,
            ending=(),
            tokens=(own.ending[0], other.ending[0])[:: 1 if own.returns else -1],
        )
        for own, other in pairs
    ]
    ahead = StepWindow("ahead", 4.0)
    interchange = Interchange(lambda: model, ["layers.0.residual"], [ahead], [ahead], rows=4)
    read, expected = interchange.run_endings(pairs).odds, interchange.run(single).odds
    for one, other in zip(read, expected, strict=True):
        assert one.keys() == other.keys()
        assert [one[key] for key in one] == pytest.approx([other[key] for key in one], abs=1e-9)


def test_the_planner_carries_the_events_of_recordings_and_the_reader_does_not(
    of_pieces: tuple[HookedMusicGen, Opened], repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = of_pieces[1]
    given = load_params(repo_root / "presets/organism.yaml")
    sites = ["layers.0.residual", "layers.1.residual"]
    params = given.model_copy(
        update={
            "activations": given.activations.model_copy(update={"sites": sites}),
            "interchange": given.interchange.model_copy(update={"lead_seconds": 4.0}),
        }
    )
    rows = []
    for name in ("planner", "reader"):
        model = organism(repo_root, name)
        monkeypatch.setattr(study, "shared_model", lambda _, model=model: model)
        rows += exchange_in_trials(params, name, opened)
    claims = Claims.of(params.probes)
    assert claims.leads(rows, model="planner") == {sites[0]: 4.0, sites[1]: 0.0}
    assert claims.leads(rows, model="reader") == {}
    total = next(row for row in rows if (row.model, row.site) == ("reader", None))
    assert total.nats.mean > 5
    assert total.accuracy.mean > 0.5


def test_recordings_that_cannot_make_an_exchange_count_are_not_read(
    of_pieces: tuple[HookedMusicGen, Opened],
    repo_root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, opened = of_pieces
    monkeypatch.setattr(study, "shared_model", lambda _: model)
    few = dict([*opened.items()][:3])
    params = load_params(repo_root / "presets/organism.yaml")
    assert exchange_in_trials(params, "models/organism/planner", few) == []
    assert "gained in 3, so no exchange" in capsys.readouterr().err
