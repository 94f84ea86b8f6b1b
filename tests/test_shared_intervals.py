"""Estimates and their intervals, as the audit, the probes and the interventions share them."""

import numpy as np
import pytest

from leitmotif.intervals import Interval, interval_of, track_weights, with_estimate


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
    found = interval_of(2.0, np.r_[np.nan, np.arange(101.0)])
    assert (found.mean, found.low, found.high) == pytest.approx((2.0, 2.5, 97.5))


def test_metrics_are_plain_rounded_numbers() -> None:
    metric = Interval(0.123456789, -1.0, 1.0).as_metric()
    assert metric == {"mean": 0.12346, "low": -1.0, "high": 1.0}
