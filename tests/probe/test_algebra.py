"""The sums against fits to the rows themselves."""

import numpy as np
import pytest
from scipy.linalg import solve

from leitmotif.probe.estimators.algebra import CONTROL_PENALTIES, Sums
from leitmotif.probe.panel.panel import Panel, panel
from tests.probe.made import made

FREE = 1e-6


def by_rows(data: Panel, sums: Sums, train: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Fitted responses of all rows, and the penalties, by solving the normal equations anew."""

    def fit(folds: list[int], penalty: float) -> np.ndarray:
        rows = np.isin(data.fold_of_row, folds)
        Z, R = sums.Z[rows], sums.responses[rows]
        weights = np.full(Z.shape[1], FREE)
        weights[Z.shape[1] - data.controls.shape[1] :] = penalty * rows.sum()
        return sums.Z @ solve(Z.T @ Z + np.diag(weights), Z.T @ R, assume_a="pos")

    errors = []
    for penalty in CONTROL_PENALTIES:
        missed = np.zeros(sums.responses.shape[1])
        for fold in train:
            held = data.fold_of_row == fold
            left = sums.responses - fit([other for other in train if other != fold], penalty)
            missed += (left[held] ** 2).sum(axis=0)
        errors.append(missed)
    best = np.argmin(errors, axis=0)
    fits = np.stack([fit(train, penalty) for penalty in CONTROL_PENALTIES])
    return np.take_along_axis(fits, best[np.newaxis, np.newaxis], axis=0)[0], best


@pytest.mark.parametrize(("tracks", "length", "extra"), [(20, 30, 0), (20, 6, 40)])
def test_each_response_is_regressed_with_the_penalty_that_predicts_it_best(
    tracks: int, length: int, extra: int
) -> None:
    """With fewer rows in a fold than columns, errors come from the rows; with more, from sums."""
    rows = made(5, tracks=tracks, length=length, d=8, planted=1.0)
    random = np.random.default_rng(0)
    controls = np.column_stack([rows.Z, random.normal(size=(len(rows.y), extra))])
    data = panel(rows.X, rows.y, controls=controls, groups=rows.groups, folds=5, seed=0)
    sums = Sums(data, place_means=True, gram=False)
    assert (len(sums.design.members[0]) < sums.Z.shape[1]) == (extra > 0)
    chosen = set()
    for test in range(5):
        train = [fold for fold in range(5) if fold != test]
        expected, best = by_rows(data, sums, train)
        chosen |= set(best.tolist())
        fitted = sums.Z @ sums.nuisance(train)
        np.testing.assert_allclose(fitted, expected, atol=1e-7)
    assert len(chosen) > 1, "one penalty for all would not show that each has its own"


def test_any_folds_may_be_left_out() -> None:
    rows = made(6)
    data = panel(rows.X, rows.y, controls=rows.Z, groups=rows.groups, folds=5, seed=0)
    sums = Sums(data, place_means=True, gram=False)
    expected, _ = by_rows(data, sums, [0, 2, 3])
    np.testing.assert_allclose(sums.Z @ sums.nuisance([3, 0, 2]), expected, atol=1e-7)


def test_fits_with_the_same_controls_share_their_design() -> None:
    rows = made(7)
    first, second, other = (
        Sums(
            panel(X, rows.y, controls=Z, groups=rows.groups, folds=5, seed=0),
            place_means=True,
            gram=False,
        )
        for X, Z in ((rows.X, rows.Z), (rows.X[:, :2], rows.Z), (rows.X, rows.Z[:, :1]))
    )
    assert first.design is second.design
    assert first.design is not other.design
