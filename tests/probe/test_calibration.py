import numpy as np
import pytest
from scipy.stats import binomtest

from leitmotif.probe.calibration.generators import (
    WITHOUT_FORESIGHT,
    NullIngredients,
    curved,
    lag_one,
    shifted,
    slow_noise,
    surrogate,
    swapped,
)
from leitmotif.probe.calibration.rates import calibrate, exchanged, rate
from leitmotif.probe.estimators.effects import PartialEffects
from leitmotif.probe.estimators.expansion import expand
from leitmotif.probe.panel.panel import track_slices
from leitmotif.tables.calibration import of_kind
from tests.probe.made import made


def source(seed: int = 0, tracks: int = 32, length: int = 30) -> NullIngredients:
    rows = made(seed, tracks=tracks, length=length)
    return NullIngredients(rows.X, rows.Z, rows.y, track_slices(rows.groups, rows=len(rows.y)))


def test_the_controlled_test_errs_as_often_as_it_says_and_the_naive_one_does_not() -> None:
    ingredients = source()
    calibration = calibrate(
        ingredients,
        expand(ingredients.controls, interactions=24),
        targets=40,
        each=3,
        strengths=[0.1, 0.6],
        permutations=199,
        folds=4,
    )
    assert calibration.targets == 40
    assert calibration.fpr_naive.low > 0.3
    assert calibration.fpr_controlled.low < 0.05
    assert calibration.fpr_controlled.mean < 0.09
    assert calibration.power[0.6].mean > 0.8 > calibration.power[0.1].mean
    rows = calibration.rows(horizon="5-7s", site="layers.1.residual")
    assert [row.generator for row in of_kind(rows, "null")] == [*WITHOUT_FORESIGHT]
    assert {row.controlled.n for row in rows} == {40}
    (every,) = of_kind(rows, "all")
    means = [row.controlled.mean for row in of_kind(rows, "null")]
    assert every.controlled.mean == pytest.approx(np.mean(means), abs=1e-5)
    power = {row.strength: row.controlled.interval for row in of_kind(rows, "planted")}
    assert power[0.6].mean == pytest.approx(calibration.power[0.6].mean, abs=1e-5)


def test_without_controls_the_same_features_pass_for_foresight() -> None:
    ingredients = source(1)
    features = np.column_stack([curved(np.random.default_rng(i), ingredients) for i in range(60)])
    groups = np.repeat(np.arange(32), 30)
    settings = {"permutations": 199, "shifts": 0, "alpha": 1.0, "folds": 4}
    bare = PartialEffects(**settings).fit(features, ingredients.target, groups=groups)
    controlled = PartialEffects(**settings).fit(
        features,
        ingredients.target,
        groups=groups,
        controls=expand(ingredients.controls, interactions=24),
    )
    assert (bare.p_ <= 0.05).mean() > 0.3 > (controlled.p_ <= 0.05).mean()


@pytest.mark.parametrize("name", WITHOUT_FORESIGHT)
def test_generators_draw_anew_and_repeat_by_seed(name) -> None:
    ingredients, generator = source(2), WITHOUT_FORESIGHT[name]
    first, second = (generator(np.random.default_rng(s), ingredients) for s in (0, 1))
    assert first.shape == ingredients.target.shape
    assert np.isfinite(first).all()
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.95
    assert generator(np.random.default_rng(0), ingredients) == pytest.approx(first)


def test_surrogates_keep_the_spectrum_and_lose_the_order() -> None:
    ingredients = source(3)
    single = NullIngredients(
        ingredients.features[:, :1], ingredients.controls, ingredients.target, ingredients.tracks
    )
    made_up = surrogate(np.random.default_rng(0), single)
    track = ingredients.tracks[0]
    column = (single.features[:, 0] - single.features[:, 0].mean()) / single.features[:, 0].std()
    ratio = np.abs(np.fft.rfft(made_up[track]))[1:-1] / np.abs(np.fft.rfft(column[track]))[1:-1]
    assert ratio == pytest.approx(np.full(len(ratio), ratio[0]))
    assert abs(np.corrcoef(made_up[track], column[track])[0, 1]) < 0.999


def test_no_track_keeps_its_own_rows_when_swapped_and_each_keeps_them_when_shifted() -> None:
    ingredients = source(4)
    single = NullIngredients(
        ingredients.features[:, :1], ingredients.controls, ingredients.target, ingredients.tracks
    )
    other = swapped(np.random.default_rng(0), single)
    rolled = shifted(np.random.default_rng(0), single)
    column = single.features[:, 0] - single.features[:, 0].mean()
    for track in ingredients.tracks:
        assert abs(np.corrcoef(other[track], column[track])[0, 1]) < 0.9999
        scale = np.abs(rolled[track]).max() / np.abs(column[track]).max()
        assert np.sort(np.abs(rolled[track])) == pytest.approx(
            scale * np.sort(np.abs(column[track]))
        )


def test_noise_is_as_slow_as_the_target() -> None:
    ingredients = source(5, tracks=60)
    slow = slow_noise(np.random.default_rng(0), ingredients)
    assert lag_one(slow, ingredients.tracks) == pytest.approx(
        lag_one(ingredients.target, ingredients.tracks), abs=0.05
    )


def test_an_exchanged_target_holds_what_is_left_of_other_tracks() -> None:
    left = np.repeat(np.arange(5.0), [3, 2, 4, 3, 3])
    tracks = track_slices(np.repeat(np.arange(5), [3, 2, 4, 3, 3]), rows=15)
    moved = exchanged(left, tracks, np.random.default_rng(0))
    assert sorted(moved[track][0] for track in tracks) == [0, 1, 2, 3, 4]
    assert all(np.ptp(moved[track]) == 0 for track in tracks)
    assert (moved != left).any()


def test_intervals_of_rates_are_over_targets() -> None:
    """Features that all meet one target's chance likeness are one observation, and no more."""
    p = np.where(np.arange(100) < 7, 0.01, 0.5)
    together, alone = np.tile(p[:, np.newaxis], 30), p[:, np.newaxis]
    exact = binomtest(7, 100).proportion_ci(method="exact")
    for values in (together, alone):
        share = rate(values, 0.05)
        assert (share.mean, share.low, share.high) == pytest.approx((0.07, *exact))
    mixed = np.random.default_rng(0).permutation(together.ravel()).reshape(together.shape)
    assert rate(mixed, 0.05).high - rate(mixed, 0.05).low < 0.02
    assert rate(np.ones((10, 3)), 0.05).low == 0
    assert rate(np.zeros((10, 3)), 0.05).high == 1
