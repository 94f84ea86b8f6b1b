"""Pieces of recordings: what the model's own openings have to differ in, and in what not."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif.causal.experiment import resampled
from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.hearing import ListeningSettings, Returns
from leitmotif.causal.experiment.outlook import OpeningCounts
from leitmotif.causal.experiment.pieces import AHEAD, CONTROL, COUNTERFACTUAL, Pieces
from leitmotif.causal.experiment.prefixes import Prefix, opening_seed
from leitmotif.causal.experiment.resampled import FIRST_SEED, Recorded, Resampling
from leitmotif.causal.experiment.runner import Clip, ContinuationSettings
from leitmotif.causal.experiment.sweep import Sweep
from leitmotif.config import load_params
from leitmotif.errors import ConfigError
from leitmotif.recurrence.continuation import Return
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.tables.base import Span

PRESET = Path(__file__).parents[2] / "presets/organism.yaml"
RATE, AUDIO = 50, 32_000
MOTIF = Span(start_sample=0, samples=16_000)
HELD = 10
SAYS = {0: 0.0, 1: 1.0, 2: 0.5, 3: None}
"""Share of trials in which the motif returns after an opening, by its first token; 3: no trial can
be heard."""


@dataclass(frozen=True)
class ModelThatSays:
    """In place of the model: openings say by their first token whether the motif returns."""

    says: Mapping[str, Sequence[int]]
    """First tokens of a track's openings, by their number."""
    asked: list[tuple[str, int]]
    continuation: ContinuationSettings = ContinuationSettings(seconds=1.0)  # noqa: RUF009
    listening: ListeningSettings = ListeningSettings(SearchSettings(), {})  # noqa: RUF009

    def make(self, prefixes: Sequence[Prefix], conditions: Sequence[Condition]) -> Iterator[Clip]:
        frames = round(self.continuation.seconds * RATE)
        for prefix in prefixes:
            for seed in self.continuation.seeds:
                random = torch.Generator().manual_seed(seed)
                drawn = torch.randint(8, (4, frames), generator=random)
                if prefix.track_id in self.says:
                    drawn[0, 0] = self.says[prefix.track_id][seed - FIRST_SEED]
                else:
                    self.asked.append((prefix.track_id, seed))
                codes = torch.cat([prefix.codes, drawn], 1)
                yield Clip("", prefix, conditions[0], seed, codes, finite=True)

    def returns(self, clips: Sequence[Clip]) -> Iterator[Returns | None]:
        for clip in clips:
            rate = SAYS[int(clip.codes[0, HELD])]
            number = clip.seed - min(self.continuation.seeds)
            recurs = rate is not None and number < rate * 2
            yield None if rate is None else (Return(MOTIF, recurs, 0.0, 0, 1.0, 0.0),)


def made(
    says: Mapping[str, Sequence[int]],
    tell: Callable[[OpeningCounts], None] = lambda _: None,
    **changed: Any,
) -> tuple[Pieces, list[tuple[str, int]]]:
    asked: list[tuple[str, int]] = []
    count = len(next(iter(says.values())))
    given = load_params(PRESET).interventions.model_copy(
        update={
            "openings": count,
            "opening_seconds": 1.0,
            "opening_trials": 2,
            "treated_seconds": 2.0,
            "seconds": 9.0,
            **changed,
        }
    )
    model = cast("Sweep", ModelThatSays(says, asked))
    resampling = Resampling(
        "planner", model, given, frame_rate=RATE, sample_rate=AUDIO, delay=3, horizon=5.0
    )
    codes = torch.zeros(4, HELD, dtype=torch.int64)
    recorded = [Recorded(Prefix(name, codes), [MOTIF]) for name in says]
    return resampling.pieces(recorded, resampling.opened(recorded, tell)), asked


def first_token(codes: torch.Tensor) -> int:
    return int(codes[0, HELD])


def test_a_piece_has_an_opening_that_says_the_opposite_and_one_that_says_the_same() -> None:
    pieces, _ = made({"a": [1, 0, 1, 2], "b": [0, 1, 0, 3]})
    of_a, of_b = pieces.pieces
    for piece, own in ((of_a, 1), (of_b, 0)):
        assert first_token(piece.prefix.codes) == own
        assert first_token(piece.prefix.sources[COUNTERFACTUAL]) == 1 - own
        assert first_token(piece.prefix.sources[CONTROL]) == own
        assert piece.prefix.sources[CONTROL] is not piece.prefix.codes
        # From the first step that reads no token of the opening, of any codebook, for two seconds
        # of the continuation.
        assert piece.prefix.windows == {AHEAD: range(64, 160)}
        # More than five seconds after the last of these steps, to the end.
        assert piece.heard == Span(start_sample=7 * AUDIO, samples=2 * AUDIO)
        assert piece.motifs == [MOTIF]
    assert (of_a.towards, of_b.towards) == (-1, 1)
    opening = of_a.prefix.opening
    assert opening is not None
    assert (opening.seed, opening.frames) in ((FIRST_SEED, 50), (FIRST_SEED + 2, 50))
    assert opening_seed(of_a.prefix.tracks[COUNTERFACTUAL]) == FIRST_SEED + 1


def test_recordings_whose_openings_do_not_differ_are_left_out_with_the_reason() -> None:
    pieces, _ = made({"always": [1] * 4, "never": [0] * 4, "open": [2] * 4, "one": [1, 1, 1, 0]})
    assert [piece.prefix.track_id for piece in pieces.pieces] == ["one"]
    assert [
        (row.model, row.track_id, row.returning, row.openings, row.towards)
        for row in pieces.openings
    ] == [
        ("planner", "always", 4, 4, None),
        ("planner", "never", 0, 4, None),
        ("planner", "open", 0, 0, None),
        ("planner", "one", 3, 4, -1),
    ]


def test_openings_and_their_trials_are_counted_while_they_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: dict[str, tuple[int, int]] = {}

    def counting(items: Iterable[Any], description: str, *, total: int) -> Iterator[Any]:
        made_of = list(items)
        shown[description] = (len(made_of), total)
        return iter(made_of)

    monkeypatch.setattr(resampled, "progress", counting)
    made({"a": [1, 0, 1, 2], "b": [0, 1, 0, 3]})
    assert shown == {
        "openings": (8, 8),
        "trials of openings": (16, 16),
        "trials that are heard": (16, 16),
    }


def test_what_openings_say_is_told_early_and_changes_no_piece() -> None:
    """After three recordings, and whenever twice as many are tried, but for the end."""
    says = {f"t{number}": [1, 1, 0, 2] if number % 2 else [0] * 4 for number in range(7)}
    told: list[OpeningCounts] = []
    pieces, asked = made(says, tell=told.append)
    assert told == [OpeningCounts(3, 1, 11, 2), OpeningCounts(6, 3, 21, 6)]
    assert OpeningCounts.of(pieces.openings) == OpeningCounts(7, 3, 25, 6)
    assert [name.partition(" ")[0] for name, _ in asked] == [
        name for name in says for _ in range(8)
    ]
    assert [piece.prefix.track_id for piece in pieces.pieces] == ["t1", "t3", "t5"]
    few: list[OpeningCounts] = []
    made({"a": [1, 0, 1, 2]}, tell=few.append)
    assert few == []


def test_no_recording_with_a_counterfactual_leaves_no_piece() -> None:
    pieces, _ = made({"always": [1] * 3})
    assert not pieces.pieces
    assert pieces.windows == [AHEAD]


def test_half_of_the_pieces_have_the_event() -> None:
    either, only_yes = [1, 1, 0, 0], [1, 1, 0, 3]
    pieces, _ = made({"yes": only_yes, **{f"t{i}": either for i in range(7)}})
    assert sorted(piece.towards for piece in pieces.pieces) == [-1] * 4 + [1] * 4


def test_donors_agree_with_the_piece_in_as_many_tokens() -> None:
    pieces, _ = made({"a": [1, 1, 1, 1, 0, 0, 0, 0]})
    (piece,) = pieces.pieces
    own = piece.prefix.codes

    def agreement(codes: torch.Tensor) -> float:
        return float((codes[:, -50:] == own[:, -50:]).double().mean())

    random = [torch.Generator().manual_seed(FIRST_SEED + n) for n in range(8)]
    drawn = [torch.randint(8, (4, 50), generator=generator) for generator in random]
    for number, codes in enumerate(drawn):
        codes[0, 0] = int(number < 4)
    mine = next(codes for codes in drawn if torch.equal(codes, own[:, -50:]))
    agree = [float((codes == mine).double().mean()) for codes in drawn]
    least = min(abs(other - same) for other in agree[4:] for same in agree[:4] if same < 1)
    chosen = [agreement(piece.prefix.sources[name]) for name in (COUNTERFACTUAL, CONTROL)]
    assert abs(chosen[0] - chosen[1]) == pytest.approx(least)


def test_no_trial_has_noise_of_an_opening_or_of_the_experiment() -> None:
    _, asked = made({"a": [1, 0, 1, 0]})
    assert len(asked) == len(set(asked)) == 4 * 2
    assert {seed for _, seed in asked} == {FIRST_SEED + 4, FIRST_SEED + 5}
    assert len({name for name, _ in asked}) == 4


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=6))
def test_every_piece_and_no_other_recording_can_show_an_effect(says: list[list[int]]) -> None:
    by_track = {f"t{number}": tokens for number, tokens in enumerate(says)}
    pieces, _ = made(by_track)
    able = {
        name
        for name, tokens in by_track.items()
        if min(tokens.count(0), tokens.count(1)) >= 1 and max(tokens.count(0), tokens.count(1)) >= 2
    }
    assert {piece.prefix.track_id for piece in pieces.pieces} == able
    assert {row.track_id: row.towards for row in pieces.openings} == {
        **dict.fromkeys(by_track),
        **pieces.towards,
    }
    for piece in pieces.pieces:
        own = first_token(piece.prefix.codes)
        assert piece.towards == (-1 if own else 1)
        assert {first_token(piece.prefix.sources[COUNTERFACTUAL]), own} == {0, 1}
        assert first_token(piece.prefix.sources[CONTROL]) == own


def test_a_continuation_that_leaves_no_room_for_a_return_is_refused_before_any_work() -> None:
    with pytest.raises(ConfigError, match=r"too short for a return that far ahead(?s:.)*than 7"):
        made({"a": [0, 1, 1]}, seconds=7.0)


def test_a_treatment_that_ends_before_the_opening_is_read_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"ends before the opening is read(?s:.)*than 0.08 s"):
        made({"a": [0, 1, 1]}, treated_seconds=0.08)
    pieces, _ = made({"a": [0, 1, 1]}, treated_seconds=0.1)
    assert pieces.pieces[0].prefix.windows == {AHEAD: range(64, 65)}


def test_seeds_that_the_openings_have_too_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"noise of the continuations(?s:.)*up to 100000"):
        made({"a": [0, 1, 1]}, seed=FIRST_SEED)


def test_only_openings_are_read_as_such() -> None:
    assert opening_seed("opening.12") == 12
    assert opening_seed("twin.slot1") is None
    assert opening_seed("opening.") is None
