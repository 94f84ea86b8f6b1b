"""What must hold of the probes on any data: what they are blind to, and how often they err."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from leitmotif.probe.estimators.effects import PartialEffects
from leitmotif.probe.estimators.nested import NestedRidge
from leitmotif.probe.estimators.nulls import exchanged, exchanges, pair_products
from tests.probe.made import Made, made

EXAMPLES = settings(max_examples=12)
SCALES = st.lists(st.floats(0.01, 100), min_size=3, max_size=3)
SHIFTS = st.lists(st.floats(-1000, 1000), min_size=3, max_size=3)


def data(seed: int) -> Made:
    return made(seed, tracks=16, length=8, d=3, p=3, planted=0.8)


def nested(rows: Made, X: np.ndarray, y: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """R² of controls, of both, partial R², its p-value and the areas."""
    probe = NestedRidge(folds=4, permutations=19).fit(X, y, controls=Z, groups=rows.groups)
    intervals = [probe.r2_controls_, probe.r2_full_, probe.partial_r2_, probe.auroc_]
    return np.array([*(interval.mean for (interval,) in intervals), probe.p_[0]])


def partial(rows: Made, X: np.ndarray, y: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Partial correlations, their statistics and p-values: [3, d]."""
    test = PartialEffects(folds=4, permutations=99, shifts=0)
    test.fit(X, y, controls=Z, groups=rows.groups)
    return np.array([test.effect_, test.t_, test.p_])


@given(seed=st.integers(0, 50), scales=SCALES, shifts=SHIFTS)
@EXAMPLES
def test_units_do_not_matter(seed: int, scales: list[float], shifts: list[float]) -> None:
    """Neither of controls, nor of features, nor where the target's zero lies."""
    rows = data(seed)
    Z, X, y = rows.Z * scales + shifts, rows.X * scales[::-1] + shifts[::-1], rows.y * scales[0]
    assert nested(rows, X, y, Z) == pytest.approx(nested(rows, rows.X, rows.y, rows.Z), abs=1e-6)
    assert partial(rows, X, y + shifts[0], Z) == pytest.approx(
        partial(rows, rows.X, rows.y, rows.Z), abs=1e-6
    )


@given(seed=st.integers(0, 50), turn=st.integers(0, 1000))
@EXAMPLES
def test_which_directions_the_controls_are_given_in_does_not_matter(seed: int, turn: int) -> None:
    """Any turn of uncorrelated controls. Correlated ones are shrunk along other directions."""
    rows = data(seed)
    white = np.linalg.qr(rows.Z - rows.Z.mean(axis=0))[0]
    turned = white @ np.linalg.qr(np.random.default_rng(turn).normal(size=(3, 3)))[0]
    expected = nested(rows, rows.X, rows.y, white)
    assert nested(rows, rows.X, rows.y, turned) == pytest.approx(expected, abs=1e-6)
    assert partial(rows, rows.X, rows.y, turned) == pytest.approx(
        partial(rows, rows.X, rows.y, white), abs=1e-6
    )


@given(seed=st.integers(0, 50), turn=st.integers(0, 1000))
@EXAMPLES
def test_order_of_columns_and_names_of_tracks_do_not_matter(seed: int, turn: int) -> None:
    rows = data(seed)
    order = np.random.default_rng(turn).permutation(3)
    expected = nested(rows, rows.X, rows.y, rows.Z)
    assert nested(rows, rows.X[:, order], rows.y, rows.Z[:, order]) == pytest.approx(
        expected, abs=1e-6
    )
    names = np.array([f"track {99 - number}" for number in rows.groups])
    renamed = Made(rows.X, rows.y, rows.Z, names)
    assert nested(renamed, rows.X, rows.y, rows.Z) == pytest.approx(expected)
    assert partial(rows, rows.X[:, order], rows.y, rows.Z) == pytest.approx(
        partial(rows, rows.X, rows.y, rows.Z)[:, order], abs=1e-6
    )


@given(seed=st.integers(0, 50))
@EXAMPLES
def test_a_feature_turned_over_has_its_effect_turned_over(seed: int) -> None:
    rows = data(seed)
    effect, t, p = partial(rows, rows.X, rows.y, rows.Z)
    turned = partial(rows, rows.X * [-1, 1, -1], rows.y, rows.Z)
    assert turned[0] == pytest.approx(effect * [-1, 1, -1])
    assert turned[1] == pytest.approx(t * [-1, 1, -1])
    assert turned[2] == pytest.approx(p)


@given(sizes=st.lists(st.integers(4, 9), min_size=3, max_size=5), seed=st.integers(0, 99))
def test_exchanges_keep_tracks_whole_and_within_their_fold(sizes: list[int], seed: int) -> None:
    """A target that names track and row meets a feature that does, whole track by whole track."""
    rows = 3
    for fold, order in enumerate(exchanges(sizes, 20, seed=seed)):
        n = sizes[fold]
        targets = [np.eye(n * rows)[t * rows : (t + 1) * rows] for t in range(n)]
        features = [np.eye(rows) for _ in range(n)]
        # [permutations, row of the feature, track and row of the target]
        met = exchanged(pair_products(features, targets), order)
        by_track = met.reshape(len(order), rows, n, rows)
        # Each track's rows are met once, and row r by row r: none is torn, none moves in time.
        assert np.array_equal(by_track, np.broadcast_to(np.eye(rows)[:, None], by_track.shape))


def test_p_values_of_a_site_without_foresight_are_uniform() -> None:
    p = []
    for seed in range(120):
        rows = made(5000 + seed, tracks=16, length=12, d=3, memory=0.95)
        probe = NestedRidge(folds=4, permutations=99)
        p.append(probe.fit(rows.X, rows.y, controls=rows.Z, groups=rows.groups).p_[0])
    assert kstest(p, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) <= 0.05) < 0.12
