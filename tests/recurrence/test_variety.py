"""The order of the list: what is new comes before what repeats it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.recurrence.variety import REPETITION_COST, varied


def order(pairs: list[tuple[float, float]], score: list[float], most: int = 99) -> list[int]:
    starts = np.array(pairs, float).reshape(-1, 2)
    return list(varied(starts, starts + 4, np.array(score, np.float32), most=most)[0])


def test_another_motif_comes_before_one_more_return_of_the_same() -> None:
    same = [(0.0, 20.0), (0.0, 40.0), (0.0, 60.0)]
    score = [0.9, 0.9, 0.9, 0.9 - REPETITION_COST / 2]
    assert order([*same, (10.0, 30.0)], score) == [0, 3, 1, 2]


def test_a_window_counts_in_whichever_role_it_stands() -> None:
    score = [0.9, 0.9, 0.9 - REPETITION_COST / 2]
    assert order([(0.0, 20.0), (20.0, 40.0), (10.0, 30.0)], score) == [0, 2, 1]


def test_what_is_far_better_stays_above() -> None:
    assert order([(0.0, 20.0), (0.0, 40.0), (10.0, 30.0)], [0.9, 0.9, 0.5]) == [0, 1, 2]


times = st.floats(0, 100)


@given(
    pairs=st.lists(st.tuples(times, times, st.floats(-1, 2, width=32)), max_size=25),
    most=st.integers(1, 30),
)
def test_the_best_is_first_and_the_rest_never_rises(
    pairs: list[tuple[float, float, float]], most: int
) -> None:
    starts = np.array([pair[:2] for pair in pairs], float).reshape(-1, 2)
    score = np.array([pair[2] for pair in pairs], np.float32)
    chosen, left = varied(starts, starts + 4, score, most=most)
    assert len(chosen) == len(set(chosen)) == min(most, len(pairs))
    assert (np.diff(left) <= 1e-9).all()
    assert (left <= score[chosen] + 1e-9).all()
    if len(pairs):
        assert left[0] == pytest.approx(score.max())
        # A pair costs at most what every pair above it would if it were the same.
        above = np.arange(len(chosen))
        assert (left >= score[chosen] - REPETITION_COST * above - 1e-6).all()
