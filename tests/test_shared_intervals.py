"""Estimates and their intervals, as the audit, the probes and the interventions share them."""

import tracemalloc
from collections.abc import Callable
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom, multinomial, norm, permutation_test
from scipy.stats import t as student

from leitmotif.errors import LeitmotifError
from leitmotif.intervals import (
    Array,
    Interval,
    bounded_mean,
    bounded_ratio,
    interval_of,
    sign_flip_p,
    track_weights,
    with_estimate,
)


def test_every_resample_draws_as_many_tracks_as_there_are() -> None:
    weights = track_weights(7, resamples=50, seed=3)
    assert weights.shape == (50, 7)
    assert weights.sum(1) == pytest.approx(7)
    assert np.array_equal(weights, track_weights(7, resamples=50, seed=3))
    assert not np.array_equal(weights, track_weights(7, resamples=50, seed=4))


def test_the_estimate_stands_before_its_resamples() -> None:
    weights = track_weights(4, resamples=3)
    both = with_estimate(weights)
    assert both[0].tolist() == [1, 1, 1, 1]
    assert np.array_equal(both[1:], weights)


def test_resamples_without_an_estimate_are_left_out() -> None:
    bounds = interval_of(2.0, np.r_[np.nan, np.arange(101.0)], tracks=100_000)
    assert (bounds.mean, bounds.low, bounds.high) == pytest.approx((2.0, 2.5, 97.5), abs=0.01)


def test_of_few_tracks_the_percentiles_lie_further_out() -> None:
    values = np.arange(101.0)
    lows = [interval_of(50.0, values, tracks=n).low for n in (4, 16, 100)]
    assert lows == pytest.approx([0.01, 1.4, 2.3], abs=0.2)
    assert interval_of(50.0, np.full(9, 3.0), tracks=1).low == 3.0


@pytest.mark.parametrize("tracks", [2, 3, 16, 100])
def test_the_percentiles_are_those_of_students_t(tracks: int) -> None:
    values = np.linspace(0, 1, 10_001)
    tail = norm.sf(student.ppf(0.975, tracks - 1) * np.sqrt(tracks / (tracks - 1)))
    bounds = interval_of(0.5, values, tracks=tracks)
    assert (bounds.low, bounds.high) == pytest.approx((tail, 1 - tail), abs=1e-12)


@pytest.mark.parametrize("tracks", [8, 16, 40])
def test_a_mean_of_few_tracks_is_held_as_often_as_is_said(tracks: int) -> None:
    random = np.random.default_rng(tracks)
    weights = track_weights(tracks, resamples=1000)
    held = 0
    for _ in range(1000):
        values = random.normal(size=tracks)
        bounds = interval_of(values.mean(), weights @ values / tracks, tracks=tracks)
        held += bounds.low <= 0 <= bounds.high
    assert 0.93 < held / 1000 < 0.975


LIMITS = (-100.0, 100.0)


def held(up: float, down: float, tracks: int, interval: Callable[[Array], Interval]) -> float:
    """Share of samples of which the interval holds the truth, over all samples there are.

    Each track changes by +100 points with probability ``up``, by -100 with ``down``, else not.
    """
    total = 0.0
    for ups in range(tracks + 1):
        for downs in range(tracks + 1 - ups):
            chance = multinomial.pmf(
                [ups, downs, tracks - ups - downs], tracks, [up, down, 1 - up - down]
            )
            if chance > 1e-7:
                bounds = interval(
                    np.repeat([100.0, -100.0, 0.0], [ups, downs, tracks - ups - downs])
                )
                total += chance * (bounds.low - 1e-9 <= 100 * (up - down) <= bounds.high + 1e-9)
    return total


@pytest.mark.parametrize(
    ("up", "down"),
    [
        (0.99, 0),
        (0.95, 0),
        (0.9, 0.05),
        (0.7, 0.05),
        (0.5, 0),
        (0.5, 0.2),
        (0.3, 0.1),
        (0.1, 0),
        (0.05, 0.05),
        (0.02, 0.02),
    ],
)
def test_a_bounded_mean_is_held_by_its_interval(up: float, down: float) -> None:
    """Sixteen tracks, as the interventions have; the coverage is exact but for the resampling."""
    assert held(up, down, 16, lambda values: bounded_mean(values, LIMITS)) > 0.925


@pytest.mark.parametrize("tracks", [8, 16, 32, 50])
def test_where_only_some_tracks_change_its_lower_end_is_safer_than_its_width(tracks: int) -> None:
    """Of every share in steps of 0.5 %; claims rest on the lower end. docs/stages/interventions.md
    has the numbers."""
    changed = [
        bounded_mean(np.repeat([100.0, 0.0], [ups, tracks - ups]), LIMITS)
        for ups in range(tracks + 1)
    ]
    inside, above = [], []
    for share in np.arange(0.005, 0.999, 0.005):
        chances = binom.pmf(range(tracks + 1), tracks, share)
        lows, highs = ([getattr(each, end) for each in changed] for end in ("low", "high"))
        inside.append(
            chances @ [low <= 100 * share <= high for low, high in zip(lows, highs, strict=True)]
        )
        above.append(chances @ [low > 100 * share for low in lows])
    assert 0.96 - 0.005 < np.mean(inside) < 0.965
    assert 0.86 <= min(inside) < 0.895
    assert max(above) < 0.0225


def test_percentiles_of_means_would_not_hold_it() -> None:
    weights = track_weights(16)

    def percentiles(values: Array) -> Interval:
        return interval_of(values.mean(), weights @ values / 16, tracks=16)

    assert held(0.95, 0, 16, percentiles) < 0.6
    assert held(0.1, 0, 16, percentiles) < 0.85


def test_of_a_rate_it_is_jeffreys_interval() -> None:
    for ones in (3, 10, 16):
        rate = np.repeat([1.0, 0.0], [ones, 20 - ones])
        bounds = bounded_mean(rate, (0.0, 1.0))
        expected = beta.ppf([0.025, 0.975], ones + 0.5, 20 - ones + 0.5)
        assert [bounds.low, bounds.high] == pytest.approx(expected, abs=0.015)


@given(
    values=st.lists(st.floats(-100, 100), min_size=2, max_size=20),
    shift=st.integers(0, 3),
)
def test_a_bounded_interval_holds_its_mean_and_turns_with_its_values(
    values: list[float], shift: int
) -> None:
    column = np.array(values)
    bounds = bounded_mean(column, LIMITS, seed=shift)
    assert -100 <= bounds.low <= bounds.mean <= bounds.high <= 100
    assert bounds.low < bounds.high
    rate = bounded_mean((column + 100) / 200, (0.0, 1.0), seed=shift)
    assert [rate.low, rate.high] == pytest.approx(
        [(v + 100) / 200 for v in (bounds.low, bounds.high)]
    )


@pytest.mark.parametrize(("share", "spread"), [(0.5, 2.0), (0.9, 2.0), (0.97, 8.0), (1.0, 1.0)])
def test_a_ratio_over_tracks_is_held_by_its_interval(share: float, spread: float) -> None:
    """Sixteen tracks with 1 to 5 things each, whose shares differ between tracks."""
    random = np.random.default_rng(5)
    held_by = 0
    for trial in range(300):
        totals = random.integers(1, 6, 16)
        own = np.ones(16) if share == 1 else random.beta(share * spread, (1 - share) * spread, 16)
        hits = random.binomial(totals, own)
        bounds = bounded_ratio(hits.astype(float), totals.astype(float), seed=trial)
        held_by += bounds.low <= share <= bounds.high
    assert held_by / 300 > 0.9


def test_a_ratio_of_one_thing_a_track_is_a_mean() -> None:
    hits = np.array([1.0, 0, 1, 1, 0])
    ratio, mean = bounded_ratio(hits, np.ones(5), seed=3), bounded_mean(hits, (0.0, 1.0), seed=3)
    assert astuple(ratio) == pytest.approx(astuple(mean))


def test_one_track_says_next_to_nothing_of_others() -> None:
    bounds = bounded_ratio(np.array([50.0]), np.array([50.0]))
    assert bounds.high == bounds.mean == 1
    assert bounds.low < 0.4


@pytest.mark.parametrize(
    ("hits", "totals"), [([], []), ([2.0], [1.0]), ([-1.0], [1.0]), ([0.0], [0.0])]
)
def test_other_numbers_are_no_ratio(hits: list[float], totals: list[float]) -> None:
    with pytest.raises(LeitmotifError, match="no hits of totals"):
        bounded_ratio(np.array(hits), np.array(totals))


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=10), st.floats(0.1, 9))
def test_p_is_blind_to_sign_and_scale(values: list[float], factor: float) -> None:
    values = [round(value, 3) for value in values]
    column = np.array(values)
    p = sign_flip_p(column)
    assert 2 ** (1 - len(values)) <= p <= 1
    assert sign_flip_p(-column) == p
    assert sign_flip_p(factor * column) == pytest.approx(p)


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=8))
def test_p_of_all_flips_is_that_of_scipy(values: list[float]) -> None:
    column = np.array([round(value, 3) for value in values])
    every = permutation_test(
        (column,), np.sum, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert sign_flip_p(column) == pytest.approx(every.pvalue, abs=1e-12)


def test_random_flips_agree_with_all_flips() -> None:
    random = np.random.default_rng(0)
    many = random.normal(0.4, 1, 15)
    few = many[:14]
    more = np.concatenate([few, [0.0]])  # a value that no flip moves
    assert sign_flip_p(more, seed=3) == pytest.approx(sign_flip_p(few), abs=0.01)


def test_flips_of_thousands_of_tracks_are_not_all_held_at_once() -> None:
    """All signs of 3,000 tracks are 240 MB, and those of a whole data set gigabytes."""
    values = np.random.default_rng(0).normal(0.04, 1, 3000)
    tracemalloc.start()
    p = sign_flip_p(values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6
    assert p == pytest.approx(2 * norm.sf(values.sum() / np.sqrt((values**2).sum())), abs=0.01)


def test_without_an_effect_one_test_in_twenty_errs() -> None:
    random = np.random.default_rng(1)
    hits = [sign_flip_p(random.normal(size=9)) <= 0.05 for _ in range(600)]
    assert 0.02 < np.mean(hits) < 0.08
