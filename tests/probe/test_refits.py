"""What the error of the control model does to the tests, and that it is taken off."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from leitmotif.probe.estimators.effects import PartialEffects
from leitmotif.probe.estimators.expansion import expand
from leitmotif.probe.estimators.nested import NestedRidge
from leitmotif.probe.estimators.refits import calibrated, exchanged_targets
from leitmotif.probe.panel.panel import panel
from tests.probe.made import made, noise

TRACKS, LENGTH = 40, 20
GROUPS = np.repeat(np.arange(TRACKS), LENGTH)


def flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(TRACKS * LENGTH, -1)


def test_a_control_that_acts_otherwise_at_other_places_makes_no_feature_significant() -> None:
    random = np.random.default_rng(0)
    Z = noise(random, TRACKS, LENGTH, 2, 0.8)
    sign = np.sin(2 * np.pi * np.arange(LENGTH) / LENGTH)[:, np.newaxis]
    X = flat(sign * Z[..., :1] + 0.5 * noise(random, TRACKS, LENGTH, 20, 0.5))
    y = flat(sign * Z[..., :1] + 0.5 * noise(random, TRACKS, LENGTH, 1, 0.5))[:, 0]
    test = PartialEffects(permutations=199, shifts=0, alpha=1.0)
    crossed = test.fit(X, y, controls=expand(flat(Z), groups=GROUPS), groups=GROUPS)
    assert (crossed.p_ <= 0.05).mean() <= 0.15
    plain = test.fit(X, y, controls=expand(flat(Z)), groups=GROUPS)
    assert (plain.p_ <= 0.05).mean() > 0.8


def test_many_columns_and_few_independent_rows_widen_the_statistic() -> None:
    random = np.random.default_rng(1)
    many, X, y = (flat(noise(random, TRACKS, LENGTH, n, 0.95)) for n in (30, 10, 1))
    weights = random.normal(size=(30, 11))
    X, y = X + many @ weights[:, 1:], y + many @ weights[:, :1]
    settings = {"permutations": 199, "shifts": 0, "alpha": 1.0}
    data = {"controls": many, "groups": GROUPS}
    wide = PartialEffects(**settings).fit(X, y[:, 0], **data)
    bare = PartialEffects(refits=0, **settings).fit(X, y[:, 0], **data)
    assert wide.inflation_.mean() > 1.05
    assert (bare.inflation_ == 1).all()
    assert wide.t_ * wide.inflation_ == pytest.approx(bare.t_)
    assert wide.high_ - wide.low_ == pytest.approx((bare.high_ - bare.low_) * wide.inflation_)
    assert (wide.p_ >= bare.p_).all()


def test_exchanged_targets_stay_in_their_fold_and_at_their_place() -> None:
    rows = made(0)
    data = panel(rows.X, rows.y, controls=rows.Z, groups=rows.groups, folds=5, seed=0)
    numbers = [np.full((30, 1), float(track)) + np.arange(30)[:, None] / 100 for track in range(20)]
    moved = exchanged_targets(data, numbers, 7, seed=0).reshape(20, 30, 7)
    assert (moved - np.floor(moved))[:, :, 0] == pytest.approx(
        np.tile(np.arange(30) / 100, (20, 1))
    )
    whose = np.floor(moved[:, 0]).astype(int)
    for fold in data.folds:
        for draw in range(7):
            assert sorted(whose[list(fold), draw]) == sorted(fold)


def test_a_statistic_keeps_its_distance_in_units_of_the_wider_spread() -> None:
    null = np.random.default_rng(0).normal(size=(500, 1))
    again = 2 * null[:100] + 1
    observed = np.array([5.0])
    moved = calibrated(observed, null, again)
    plain = null[:100]
    expected = plain.mean() + (5 - again.mean()) / 2
    assert moved == pytest.approx([expected])
    assert calibrated(observed, null, null[:100] / 3) == pytest.approx(observed)


def test_the_gain_of_the_nested_ridge_is_a_t_test_over_tracks() -> None:
    """One loud track carries no more than another one: its gain is in the standard error too."""
    rows = made(7, tracks=40, planted=1.5)
    probe = NestedRidge(permutations=99).fit(rows.X, rows.y, controls=rows.Z, groups=rows.groups)
    y = (rows.y - rows.y.mean())[:, np.newaxis]
    errors = (y - probe.predictions_controls_) ** 2 - (y - probe.predictions_) ** 2
    gains = errors.reshape(40, 30).sum(axis=1)
    assert probe.t_ == pytest.approx([ttest_1samp(gains, 0).statistic])
