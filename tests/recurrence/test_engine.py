"""The engine on pieces whose recurrences are known: what it finds, and what it must not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif.errors import LeitmotifError
from leitmotif.recurrence.proposals.engine import Suggestion, accepted, suggest, suggest_in_audio
from leitmotif.recurrence.search.refine import TEMPO_COST, total_score
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.recurrence.search.views import make_views
from tests.recurrence.melodies import NOTE, RATE, SEARCH, piece, tones, walk

NOTES = [*walk(16, 3), *walk(8, 1), *walk(32, 4), *walk(8, 1), *walk(16, 5)]
"""Of ``piece()``."""


def best(audio: np.ndarray, search: SearchSettings = SEARCH) -> Suggestion:
    return suggest_in_audio(audio, RATE, search)[0]


def kept(audio: np.ndarray, search: SearchSettings = SEARCH) -> list[Suggestion]:
    return accepted(suggest_in_audio(audio, RATE, search), p=0.01, false_per_minute=0.2)


@pytest.mark.parametrize("transposition", [0, 5, -3])
def test_a_recurrence_is_found_in_its_place_and_key(transposition: int) -> None:
    suggestion = best(piece(transposition=transposition))
    assert suggestion.motif_start == pytest.approx(4, abs=0.25)
    assert suggestion.recurrence_start == pytest.approx(14, abs=0.25)
    assert suggestion.transposition == transposition
    assert suggestion.p < 0.01
    assert suggestion.score > 0.7


@pytest.mark.parametrize("tempo", [0.93, 1.08])
def test_a_recurrence_may_be_faster_or_slower(tempo: float) -> None:
    suggestion = best(piece(tempo=tempo))
    assert suggestion.motif_start == pytest.approx(4, abs=0.3)
    assert suggestion.recurrence_start == pytest.approx(14, abs=0.3)
    length = suggestion.motif_end - suggestion.motif_start
    assert (suggestion.recurrence_end - suggestion.recurrence_start) / length == pytest.approx(
        tempo, abs=0.05
    )


def test_a_steady_tempo_costs_nothing_and_another_does() -> None:
    ones = np.ones(1)
    steady, faster, slower = (
        float(total_score(ones, ones, 1.0, ones * tempo, 0.25)[0]) for tempo in (1.0, 0.96, 1.04)
    )
    assert steady == 1.25
    assert faster == slower == pytest.approx(steady - 0.04 * TEMPO_COST)


@given(shift=st.integers(-7, 7))
@settings(max_examples=5, deadline=None)
def test_a_piece_in_another_key_has_its_recurrences_in_the_same_places(shift: int) -> None:
    original = best(piece())
    suggestion = best(tones([pitch + shift for pitch in NOTES]))
    assert suggestion.motif_start == pytest.approx(original.motif_start, abs=0.15)
    assert suggestion.recurrence_start == pytest.approx(original.recurrence_start, abs=0.15)
    assert suggestion.transposition == original.transposition == 0


def test_a_recurrence_is_accepted_once() -> None:
    suggestions = suggest_in_audio(piece(), RATE, replace(SEARCH, overlap=0.2))
    kept = accepted(suggestions, p=0.01, false_per_minute=0.0, min_score=0.7)
    assert len(kept) == 1


def test_of_pieces_in_which_nothing_returns_few_have_proposals() -> None:
    # At the level of 0.01, two of six would be chance once in 700 times.
    any_kept = [bool(kept(tones(walk(64, seed)))) for seed in range(100, 106)]
    assert sum(any_kept) <= 1


def test_a_rhythm_that_returns_is_no_motif() -> None:
    lengths = [0.1, 0.3, 0.2, 0.4, 0.1, 0.5, 0.2, 0.2]
    notes = zip(walk(96, 7), lengths * 12, strict=True)
    assert kept(np.concatenate([tones([pitch], length) for pitch, length in notes])) == []


@pytest.mark.parametrize("kind", ["noise", "held", "loop", "drums"])
def test_texture_is_no_motif(kind: str) -> None:
    random = np.random.default_rng(0)
    time = np.arange(20 * RATE) / RATE
    sounds = {
        "noise": 0.1 * random.standard_normal(len(time)),
        "held": 0.2 * np.sin(2 * np.pi * 220 * time) + 0.1 * np.sin(2 * np.pi * 277 * time),
        "loop": tones(walk(4, 1) * 20),
        "drums": 0.3 * random.standard_normal(len(time)) * np.exp(-20 * (time % 0.5)),
    }
    assert kept(sounds[kind].astype(np.float32)) == []


def test_the_loop_is_what_texture_explains() -> None:
    everything = replace(SEARCH, max_texture=1.0)
    assert best(tones(walk(4, 1) * 20), everything).texture > 0.95
    assert best(piece(), everything).texture < 0.8


def test_a_motif_is_found_beside_a_loop() -> None:
    loop = tones(walk(4, 6) * 40)  # alike at more places than are looked at
    audio = np.concatenate([tones(walk(8, 1)), loop, tones(walk(8, 7)), tones(walk(8, 1)), loop])
    suggestions = suggest_in_audio(audio, RATE, replace(SEARCH, max_texture=0.9))
    lags = [
        suggestion.recurrence_start - suggestion.motif_start
        for suggestion in suggestions
        if suggestion.motif_start < 1
    ]
    assert any(lag == pytest.approx(44, abs=0.1) for lag in lags)


def test_two_runs_agree_and_another_seed_changes_only_the_null() -> None:
    views = make_views(piece(), RATE, rate=SEARCH.rate)
    first, again = suggest(views, SEARCH), suggest(views, SEARCH)
    assert first == again
    other = suggest(views, replace(SEARCH, seed=5))
    places = [(suggestion.motif_start, suggestion.recurrence_start) for suggestion in first]
    assert [(suggestion.motif_start, suggestion.recurrence_start) for suggestion in other] == places


def test_windows_lie_in_the_recording_and_apart() -> None:
    audio = piece()
    for suggestion in suggest_in_audio(audio, RATE, replace(SEARCH, lengths=(1.0, 2.0, 3.0))):
        assert (
            0
            <= suggestion.motif_start
            < suggestion.motif_end
            <= suggestion.recurrence_start + 1 / SEARCH.rate
        )
        assert suggestion.recurrence_start < suggestion.recurrence_end <= len(audio) / RATE
        assert (
            suggestion.recurrence_start - suggestion.motif_start >= SEARCH.min_lag - 1 / SEARCH.rate
        )
        assert 0 < suggestion.p <= 1
        assert 0 <= suggestion.texture <= 1


def test_too_little_audio_for_two_windows_gives_nothing() -> None:
    assert suggest_in_audio(tones(walk(12, 1)), RATE, SEARCH) == []
    assert suggest_in_audio(np.zeros(20 * RATE, np.float32), RATE, SEARCH) == []


@pytest.mark.parametrize("seconds", [6.0, 6.3, 6.9, 7.2, 9.1])
def test_a_recording_with_room_for_the_shortest_windows_alone_is_searched(seconds: float) -> None:
    search = SearchSettings()
    assert search.least_seconds == 6.0
    motif = tones(walk(12, 1))  # 3 s
    audio = np.concatenate([motif, motif, motif, motif])[: round(seconds * RATE)]
    for suggestion in suggest_in_audio(audio, RATE, search):
        assert 0 < suggestion.p <= 1
        assert np.isfinite([suggestion.score, suggestion.likeness, suggestion.expected]).all()


def test_views_on_another_grid_are_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        suggest(make_views(piece(), RATE, rate=10), SEARCH)


def test_the_gate_is_the_best_p_value() -> None:
    suggestions = suggest_in_audio(piece(), RATE, SEARCH)
    worse = [replace(x, p=max(x.p, 0.02)) for x in suggestions]
    assert accepted(worse, p=0.01, false_per_minute=1e9) == []
    assert len(accepted(suggestions, p=0.01, false_per_minute=1e9)) == len(suggestions)
    least = accepted(suggestions, p=0.01, false_per_minute=1e9, min_score=0.5)
    assert least == [x for x in suggestions if x.likeness >= 0.5]


def test_the_score_falls_along_the_list_and_is_the_likeness_on_average() -> None:
    search = replace(SEARCH, lengths=(1.0, 2.0, 3.0), overlap=1.0)
    suggestions = suggest_in_audio(piece(), RATE, search)
    scores, likeness = (
        np.array([getattr(suggestion, n) for suggestion in suggestions])
        for n in ("score", "likeness")
    )
    assert (np.diff(scores) < -5e-5).all()  # also when rounded to four digits
    assert (np.diff(likeness) > 0).any()
    assert scores.mean() == pytest.approx(likeness.mean(), abs=1e-4 * len(suggestions))


def test_long_windows_come_before_short_ones_that_are_as_alike() -> None:
    suggestion = best(piece(), replace(SEARCH, lengths=(1.0, 1.5, 2.0)))
    assert suggestion.motif_end - suggestion.motif_start == pytest.approx(2.0, abs=0.1)


def test_a_recurrence_that_hesitates_is_followed() -> None:
    motif, notes = walk(12, 1), walk(16, 3)
    lengths = [NOTE * (1.15 if 3 <= n < 6 else 0.85 if 6 <= n < 9 else 1) for n in range(12)]
    uneven = np.concatenate([tones([note], n) for note, n in zip(motif, lengths, strict=True)])
    audio = np.concatenate(
        [tones(notes), tones(motif), tones(walk(32, 4)), uneven, tones(notes[:8])]
    )
    search = replace(SEARCH, lengths=(3.0,))
    straight = best(audio, replace(search, tempo=0.0))
    bent = best(audio, search)
    assert bent.motif_start == pytest.approx(4, abs=0.3)
    assert bent.recurrence_start == pytest.approx(15, abs=0.3)
    assert bent.likeness > straight.likeness


@pytest.mark.parametrize(
    "change",
    [
        {"lengths": ()},
        {"lengths": (4.0, 3.0)},
        {"lengths": (0.1,)},
        {"lengths": (1.0, 5.0)},
        {"tempo": 0.3},
        {"transpositions": 7},
        {"rhythm": -0.1},
        {"texture_seconds": 2.0},
        {"overlap": 0.0},
    ],
)
def test_a_search_that_cannot_work_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(LeitmotifError, match=next(iter(change))):
        replace(SEARCH, **change)
