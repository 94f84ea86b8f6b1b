"""Whether a continuation returns its prefix's motif."""

import numpy as np
import pytest

from leitmotif.errors import LeitmotifError
from leitmotif.recurrence.continuation import Listener, recurrence_rate
from leitmotif.tables.base import Span
from tests.recurrence.melodies import RATE, SEARCH, tones, walk

MOTIF = walk(8, 1)
PREFIX = np.concatenate([tones(MOTIF), tones(walk(16, 3))])
WINDOW = Span(start_sample=0, samples=2 * RATE)
LISTENER = Listener(PREFIX, [WINDOW], sample_rate=RATE, search=SEARCH)


def found(later: list[int], transposition: int = 0) -> list:
    middle = [pitch + transposition for pitch in later]
    continuation = np.concatenate([tones(walk(16, 4)), tones(middle), tones(walk(8, 5))])
    return LISTENER.returns(continuation)


@pytest.mark.parametrize("transposition", [0, 4])
def test_a_return_is_recognised_in_its_place(transposition: int) -> None:
    (motif_return,) = found(MOTIF, transposition)
    assert motif_return.recurs
    assert motif_return.start == pytest.approx(4, abs=0.2)
    assert motif_return.transposition == transposition


def test_other_music_is_no_return() -> None:
    results = found(walk(8, 2))
    assert not results[0].recurs
    assert recurrence_rate(results) == 0


def test_the_prefix_is_not_searched() -> None:
    other = tones(walk(24, 9))
    (motif_return,) = LISTENER.returns(other)
    assert not motif_return.recurs


def test_without_room_nothing_recurs() -> None:
    (motif_return,) = LISTENER.returns(tones(walk(4, 2)))
    assert (motif_return.recurs, motif_return.start, motif_return.p) == (False, None, 1.0)


def test_a_window_outside_the_prefix_is_refused() -> None:
    beyond = Span(start_sample=len(PREFIX) - 10, samples=2 * RATE)
    with pytest.raises(LeitmotifError, match="beyond the prefix"):
        Listener(PREFIX, [beyond], sample_rate=RATE, search=SEARCH)


def test_a_motif_of_a_moment_is_refused() -> None:
    with pytest.raises(LeitmotifError, match="too short"):
        Listener(PREFIX, [Span(start_sample=0, samples=100)], sample_rate=RATE, search=SEARCH)
