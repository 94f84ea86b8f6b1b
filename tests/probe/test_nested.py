"""The closed forms against the same fits made one by one with scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from leitmotif.errors import ProbeError
from leitmotif.probe.estimators.algebra import CONTROL_PENALTIES, Sums
from leitmotif.probe.estimators.exchange_fits import FEATURE_PENALTIES
from leitmotif.probe.estimators.nested import NestedRidge
from leitmotif.probe.estimators.nulls import exchanges
from leitmotif.probe.panel.panel import Panel, panel
from tests.probe.made import made


def ridge(Z, Y, penalty):
    return Ridge(alpha=penalty * len(Z)).fit(Z, Y)


def by_hand(data: Panel, order: list[np.ndarray], number: int):
    """Partial R² of exchange ``number``, and the predictions, without any of the algebra."""
    y, fold_of_row = data.targets[:, 0], data.fold_of_row
    missed = kept = 0.0
    predictions = np.empty(len(y))
    for test in range(len(data.folds)):
        seen = fold_of_row != test
        train = [f for f in range(len(data.folds)) if f != test]
        responses = np.column_stack([data.features, y])
        left = np.empty_like(responses)
        for column in range(responses.shape[1]):
            errors = np.zeros(len(CONTROL_PENALTIES))
            for held in train:
                rows, out = seen & (fold_of_row != held), fold_of_row == held
                for index, penalty in enumerate(CONTROL_PENALTIES):
                    model = ridge(data.controls[rows], responses[rows, column], penalty)
                    error = responses[out, column] - model.predict(data.controls[out])
                    errors[index] += (error**2).sum()
            best = CONTROL_PENALTIES[errors.argmin()]
            model = ridge(data.controls[seen], responses[seen, column], best)
            left[:, column] = responses[:, column] - model.predict(data.controls)
        X = left[:, :-1] / np.sqrt((left[seen, :-1] ** 2).mean(0))
        target = left[:, -1].copy()
        for tracks, whose in zip(data.folds, order, strict=True):
            for place, other in enumerate(whose[number]):
                target[data.tracks[tracks[place]]] = left[data.tracks[tracks[other]], -1]

        def fitted(rows, penalty, X=X, target=target):
            gram = X[rows].T @ X[rows] + penalty * rows.sum() * np.eye(X.shape[1])
            return np.linalg.solve(gram, X[rows].T @ target[rows])

        errors = np.zeros(len(FEATURE_PENALTIES))
        for held in train:
            out = fold_of_row == held
            for index, penalty in enumerate(FEATURE_PENALTIES):
                weights = fitted(seen & ~out, penalty)
                errors[index] += ((target[out] - X[out] @ weights) ** 2).sum()
        weights = fitted(seen, FEATURE_PENALTIES[errors.argmin()])
        out = fold_of_row == test
        missed += ((target[out] - X[out] @ weights) ** 2).sum()
        kept += (target[out] ** 2).sum()
        predictions[out] = y[out] - target[out] + X[out] @ weights
    return 1 - missed / kept, predictions - y.mean()


def test_every_exchange_is_the_fit_one_would_make_of_it() -> None:
    rows = made(3, planted=0.5)
    probe = NestedRidge(permutations=3, place_means=False, random_state=1)
    probe.fit(rows.X, rows.y, controls=rows.Z, groups=rows.groups)
    data = panel(rows.X, rows.y, controls=rows.Z, groups=rows.groups, folds=5, seed=1)
    order = exchanges(list(map(len, data.folds)), 3, seed=1)
    expected, predictions = by_hand(data, order, 0)
    assert probe.partial_r2_[0].mean == pytest.approx(expected, abs=1e-6)
    assert probe.predictions_[:, 0] == pytest.approx(predictions, abs=1e-6)
    for number in (1, 3):
        null, _ = by_hand(data, order, number)
        assert probe.null_partial_r2_[number - 1, 0] == pytest.approx(null, abs=1e-6)


def test_horizons_and_exchanges_do_not_influence_each_other() -> None:
    rows, other = made(4, planted=0.5), made(5)
    both = np.column_stack([rows.y, other.y])
    settings = {"controls": rows.Z, "groups": rows.groups}
    together = NestedRidge(permutations=4).fit(rows.X, both, **settings)
    apart = [NestedRidge(permutations=4).fit(rows.X, y, **settings) for y in both.T]
    alone = NestedRidge(permutations=0).fit(rows.X, both, **settings)
    for h in range(2):
        assert together.partial_r2_[h].mean == pytest.approx(apart[h].partial_r2_[0].mean)
        assert together.partial_r2_[h].mean == pytest.approx(alone.partial_r2_[h].mean)
        assert together.null_partial_r2_[:, h] == pytest.approx(apart[h].null_partial_r2_[:, 0])
    assert np.isnan(alone.p_).all()


def test_place_means_leave_nothing_that_all_tracks_do_at_one_time() -> None:
    drawn = made(6)
    data = panel(drawn.X, drawn.y, controls=None, groups=drawn.groups, folds=5, seed=0)
    sums = Sums(data, place_means=True, gram=False)
    train = [0, 1, 2, 3]
    rows = np.flatnonzero(data.fold_of_row != 4)
    X, Y = sums.residual(sums.nuisance(train), rows)
    for place in range(30):
        assert np.abs(X[data.places[rows] == place].mean(0)).max() < 1e-4
        assert np.abs(Y[data.places[rows] == place].mean(0)).max() < 1e-4


def test_a_planted_link_is_found_and_its_interval_lies_above_zero() -> None:
    rows = made(7, tracks=40, planted=1.5)
    probe = NestedRidge(permutations=99).fit(rows.X, rows.y, controls=rows.Z, groups=rows.groups)
    assert probe.p_[0] == pytest.approx(0.01)
    interval = probe.partial_r2_[0]
    assert 0 < interval.low < interval.mean < interval.high
    assert probe.auroc_[0].mean > probe.auroc_controls_[0].mean > 0.6
    assert probe.r2_full_[0].mean > probe.r2_controls_[0].mean > 0


def test_features_that_follow_from_the_controls_are_refused() -> None:
    rows = made(8)
    place = np.tile(np.arange(30.0), 20)[:, None]
    with pytest.raises(ProbeError, match="every feature is a function of the controls"):
        NestedRidge(permutations=0).fit(place, rows.y, groups=rows.groups)
