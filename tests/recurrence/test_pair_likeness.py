"""Likeness of given windows, on the scale of the proposals."""

import numpy as np
import pytest

from leitmotif.recurrence.likeness import LEAST, GivenPair, WindowLikeness, likeness_of
from leitmotif.recurrence.proposals.engine import suggest_in_audio
from leitmotif.tables.base import Span
from tests.recurrence.melodies import RATE, SEARCH, piece


def pair(
    motif: float, recurrence: float, seconds: float = 2.0, transposition: int | None = 0
) -> GivenPair:
    first, later = (
        Span(start_sample=round(at * RATE), samples=round(seconds * RATE))
        for at in (motif, recurrence)
    )
    return GivenPair(first, later, transposition)


def likeness(audio: np.ndarray, *pairs: GivenPair) -> list[WindowLikeness]:
    return likeness_of(audio, RATE, pairs, SEARCH)


def test_it_is_what_the_engine_says_of_the_windows_that_it_proposes() -> None:
    audio = piece()
    best = suggest_in_audio(audio, RATE, SEARCH)[0]
    given = GivenPair(
        *(
            Span(start_sample=round(a * RATE), samples=round((b - a) * RATE))
            for a, b in (
                (best.motif_start, best.motif_end),
                (best.recurrence_start, best.recurrence_end),
            )
        ),
        best.transposition,
    )
    (heard,) = likeness(audio, given)
    assert heard.likeness == pytest.approx(best.likeness, abs=0.01)


def test_a_return_is_more_alike_than_other_music_and_its_key_is_found() -> None:
    audio = piece(transposition=3)
    returned, in_other_key, other, unknown = likeness(
        audio, pair(4, 14, transposition=3), pair(4, 14), pair(4, 8), pair(4, 14, 2.0, None)
    )
    assert returned.likeness > 0.6
    assert other.likeness < 0.3
    assert in_other_key.likeness < returned.likeness - 0.3
    assert unknown == returned


def test_windows_shorter_or_longer_than_those_of_the_search_have_a_likeness_too() -> None:
    audio = piece()
    short, long = likeness(audio, pair(4, 14, 1.0), pair(3, 13, 4.0))
    assert short.likeness > 0.5
    assert long.likeness > 0.6  # what returns lies within


def test_what_cannot_be_compared_is_the_weakest_return_and_never_none() -> None:
    audio = piece()
    overlapping, beyond, silent = (
        likeness(audio, pair(4, 5))[0],
        likeness(audio, pair(4, 60))[0],
        likeness_of(np.zeros(20 * RATE, np.float32), RATE, [pair(4, 14, 2.0, None)], SEARCH)[0],
    )
    assert overlapping.likeness == beyond.likeness == LEAST
    assert silent.likeness >= LEAST
    assert silent.transposition == 0
