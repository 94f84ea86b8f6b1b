"""What the first recordings let expect of the rest."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom

from leitmotif.causal.experiment.outlook import (
    OpeningCounts,
    beforehand,
    expected,
    in_doubling_parts,
    least_share,
    outlook,
)
from leitmotif.tables.openings import OpenedRecording


def tried(recordings: int, differing: int) -> OpeningCounts:
    return OpeningCounts(recordings, differing, 8 * recordings, differing)


@given(st.lists(st.integers(), max_size=50), st.integers(1, 5))
def test_parts_are_all_items_in_their_order(items: Sequence[int], first: int) -> None:
    parts = [*in_doubling_parts(items, first)]
    assert [item for part in parts for item in part] == items
    assert all(len(part) > 0 for part in parts)
    assert all(len(part) <= first for part in parts[:1])


@pytest.mark.parametrize(
    ("recordings", "differing", "of"), [(3, 0, 15), (6, 0, 15), (3, 3, 17), (24, 1, 100), (9, 4, 9)]
)
def test_the_rest_is_beta_binomial(recordings: int, differing: int, of: int) -> None:
    count = expected(tried(recordings, differing), of)
    rest = betabinom(of - recordings, differing + 0.5, recordings - differing + 0.5)
    low, high = rest.ppf([0.025, 0.975]) if of > recordings else (0, 0)
    assert count.mean == pytest.approx(differing + (rest.mean() if of > recordings else 0))
    assert (count.low, count.high) == (differing + low, differing + high)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Over recordings whose probability of differing is drawn from the prior."""
    random, held = np.random.default_rng(0), []
    for probability in random.beta(0.5, 0.5, size=2000):
        differ = random.random(20) < probability
        count = expected(tried(6, int(differ[:6].sum())), 20)
        held.append(count.low <= differ.sum() <= count.high)
    assert np.mean(held) > 0.95


def test_it_says_when_the_rest_can_hardly_decide_anything() -> None:
    none_of_six = outlook(tried(6, 0), 15, needed=8)
    assert none_of_six.startswith(
        "the motif returns after 0 of 48 openings of 6 recordings, 0 of which can show an effect; "
        "of all 15 about 1 can be expected to (0 to 4), and 8 are needed, 4 with a return"
    )
    assert "the rest can hardly make an effect count" in none_of_six
    assert "hardly" not in outlook(tried(3, 0), 100, needed=8)  # up to 53 of them may
    assert "hardly" not in outlook(tried(6, 6), 15, needed=8)


def test_what_the_model_has_to_do_is_said_before_it_is_asked() -> None:
    words = beforehand(15, 8, needed=8)
    assert (
        "8 of 15 can be expected to if each motif returns after 10 to 90 % of its openings" in words
    )
    assert "of 8, fewer than 8 can be expected to" in beforehand(8, 8, needed=8)


@given(
    recordings=st.integers(1, 200),
    openings=st.integers(3, 16),
    needed=st.integers(1, 200),
)
def test_the_least_share_is_the_least_that_suffices(
    recordings: int, openings: int, needed: int
) -> None:
    def differing(share: float) -> float:
        return recordings * (1 - share**openings - (1 - share) ** openings)

    share = least_share(recordings, openings, needed)
    if share is None:
        assert differing(0.5) < needed
    else:
        assert 0 < share <= 0.5
        assert differing(share) >= needed > differing(share - 1e-5)


def test_openings_are_counted_for_each_model() -> None:
    rows = [
        OpenedRecording(model=model, track_id=track, openings=n, returning=yes, towards=way)
        for model, track, n, yes, way in (
            ("planner", "a", 3, 2, -1),
            ("reader", "a", 4, 4, None),
            ("planner", "b", 0, 0, None),
        )
    ]
    assert OpeningCounts.by_model(rows) == {
        "planner": OpeningCounts(recordings=2, differing=1, openings=3, returning=2),
        "reader": OpeningCounts(recordings=1, differing=0, openings=4, returning=4),
    }
    assert OpeningCounts.by_model([]) == {}
