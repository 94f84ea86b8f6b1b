"""The order of the list: what is new comes before what repeats it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.recurrence.proposals.variety import LENGTH_COST, REPETITION_COST, varied


def order(
    pairs: list[tuple[float, float]], preference: list[float], length: list[int] | None = None
) -> list[int]:
    starts = np.array(pairs, float).reshape(-1, 2)
    lengths = np.array(length or [4] * len(pairs), np.intp)
    values = np.array(preference, np.float32)
    return list(varied(starts, starts + lengths[:, None], values, lengths, most=99))


def test_another_motif_comes_before_one_more_return_of_the_same() -> None:
    same = [(0.0, 20.0), (0.0, 40.0), (0.0, 60.0)]
    score = [0.9, 0.9, 0.9, 0.9 - REPETITION_COST / 2]
    assert order([*same, (10.0, 30.0)], score) == [0, 3, 1, 2]


def test_a_window_counts_in_whichever_role_it_stands() -> None:
    score = [0.9, 0.9, 0.9 - REPETITION_COST / 2]
    assert order([(0.0, 20.0), (20.0, 40.0), (10.0, 30.0)], score) == [0, 2, 1]


def test_what_is_far_better_stays_above() -> None:
    assert order([(0.0, 20.0), (0.0, 40.0), (10.0, 30.0)], [0.9, 0.9, 0.5]) == [0, 1, 2]


def test_each_length_gets_its_turn() -> None:
    apart = [(0.0, 10.0), (20.0, 30.0), (40.0, 50.0)]
    preference = [0.9, 0.9, 0.9 - LENGTH_COST / 2]
    assert order(apart, preference) == [0, 1, 2]
    assert order(apart, preference, [6, 6, 3]) == [0, 2, 1]


times = st.floats(0, 100)


@given(
    pairs=st.lists(
        st.tuples(times, times, st.floats(-1, 2, width=32), st.integers(3, 6)), max_size=25
    ),
    most=st.integers(1, 30),
)
def test_the_best_is_first_and_nothing_waits_for_what_is_far_worse(
    pairs: list[tuple[float, float, float, int]], most: int
) -> None:
    starts = np.array([pair[:2] for pair in pairs], float).reshape(-1, 2)
    preference = np.array([pair[2] for pair in pairs], np.float32)
    length = np.array([pair[3] for pair in pairs], np.intp)
    chosen = varied(starts, starts + length[:, None], preference, length, most=most)
    assert len(chosen) == len(set(chosen)) == min(most, len(pairs))
    if len(pairs):
        assert preference[chosen[0]] == preference.max()
    # What comes later was preferred by no more than all that stands above it can have cost.
    cost = REPETITION_COST + LENGTH_COST
    for place, pair in enumerate(chosen):
        rest = np.setdiff1d(np.arange(len(pairs)), chosen[: place + 1])
        assert (preference[rest] <= preference[pair] + cost * place + 1e-6).all()
