import pytest

from leitmotif.intervals import Interval
from leitmotif.probe.estimators.robustness import robustness


def test_a_confounder_of_this_strength_takes_the_whole_effect_away() -> None:
    """By construction: one that explains this share of both leaves nothing between them."""
    value = robustness(Interval(0.3, 0.1, 0.5)).mean
    # Bias of a confounder that explains shares a, b of target and feature: a b / (1 - b) = f².
    assert value * value / (1 - value) == pytest.approx(0.3 / 0.7, abs=1e-3)


def test_nothing_needs_no_confounder_and_the_interval_follows() -> None:
    found = robustness(Interval(0.2, -0.1, 0.4))
    assert found.low == 0 < found.mean < found.high < 1
