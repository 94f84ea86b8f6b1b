"""The probes behave as scikit-learn's estimators do, by scikit-learn's own checker."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from leitmotif.errors import ProbeError
from leitmotif.probe.estimators.conventions import seed_of
from leitmotif.probe.estimators.effects import PartialEffects
from leitmotif.probe.estimators.naive import NaiveCorrelation
from leitmotif.probe.estimators.nested import NestedRidge
from tests.probe.made import Made, made

FEW_ROWS = "fits 10 or 11 rows; 3 folds of 4 tracks need 12"
FEW = (
    "check_estimators_nan_inf",
    "check_fit2d_1feature",
    "check_regressor_multioutput",
    "check_regressors_no_decision_function",
)


def expected_failures(probe: BaseEstimator) -> dict[str, str]:
    """Checks that cannot hold, with the reason."""
    if isinstance(probe, NaiveCorrelation):
        return {}
    return dict.fromkeys(FEW, FEW_ROWS)


@parametrize_with_checks(
    [
        NestedRidge(folds=3, permutations=9),
        PartialEffects(folds=3, permutations=199, shifts=9),
        NaiveCorrelation(),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learns_checker(estimator: BaseEstimator, check: Any) -> None:
    check(estimator)


PROBES = [
    NestedRidge(permutations=4),
    PartialEffects(permutations=99, shifts=9),
    NaiveCorrelation(),
]


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: type(probe).__name__)
def test_a_probe_is_made_unchecked_and_can_be_cloned(probe: BaseEstimator) -> None:
    settings = probe.get_params()
    assert clone(probe).get_params() == settings
    assert type(probe)(**dict.fromkeys(settings, "nonsense")).get_params() == dict.fromkeys(
        settings, "nonsense"
    )
    rows = made(0)
    assert clone(probe).fit(rows.X, rows.y).n_features_in_ == 4
    named = clone(probe).fit(pd.DataFrame(rows.X, columns=list("abcd")), pd.Series(rows.y))
    assert named.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        clone(probe).fit(csr_array(rows.X), rows.y)
    for bad in (rows.X[:, 0], rows.X[np.newaxis], rows.X + 1j, np.empty((600, 0))):
        with pytest.raises(ValueError, match=r"array|Complex"):
            clone(probe).fit(bad, rows.y)


def test_what_needs_a_fit_says_so() -> None:
    rows = made(0)
    for call in (
        lambda: NestedRidge().predict(rows.X),
        lambda: NestedRidge().score(rows.X, rows.y),
        lambda: PartialEffects().transform(rows.X),
        lambda: NaiveCorrelation().score(rows.X, rows.y),
    ):
        with pytest.raises(NotFittedError):
            call()


def test_random_states_are_scikit_learns() -> None:
    assert seed_of(3) == seed_of(np.int64(3)) == 3
    assert seed_of(np.random.RandomState(1)) == seed_of(np.random.RandomState(1))
    assert seed_of(None) != seed_of(None)
    rows = made(0)
    splits = [
        NestedRidge(permutations=0, random_state=state).fit(rows.X, rows.y).partial_r2_[0].mean
        for state in (1, 1, 2)
    ]
    assert splits[0] == splits[1] != splits[2]


def halves(rows: Made, tracks: int) -> tuple[np.ndarray, np.ndarray]:
    first = rows.groups < tracks // 2
    return first, ~first


def test_a_fitted_probe_is_scored_on_other_tracks() -> None:
    rows = made(7, tracks=80, planted=1.5)
    seen, new = halves(rows, 80)
    probe = NestedRidge(permutations=0)
    probe.fit(rows.X[seen], rows.y[seen], controls=rows.Z[seen], groups=rows.groups[seen])
    others = {"controls": rows.Z[new], "groups": rows.groups[new]}
    score = probe.score(rows.X[new], rows.y[new], **others)
    assert score == pytest.approx(probe.partial_r2_[0].mean, abs=0.15)
    assert 0.1 < score < 1
    predicted = probe.predict(rows.X[new], **others)
    assert predicted.shape == (1200,)
    assert np.corrcoef(predicted, rows.y[new])[0, 1] > 0.6
    assert np.abs(probe.coef_).argmax() == 0
    noise = np.random.default_rng(0).normal(size=rows.X.shape)
    probe.fit(noise[seen], rows.y[seen], controls=rows.Z[seen], groups=rows.groups[seen])
    assert probe.score(noise[new], rows.y[new], **others) == pytest.approx(0, abs=0.02)


def test_predictions_are_those_of_the_linear_model_that_made_the_data() -> None:
    random = np.random.default_rng(0)
    Z, X = random.normal(size=(600, 2)), random.normal(size=(600, 3))
    y = 5 + Z @ [2.0, -1.0] + X @ [1.0, 0.5, 0.0]
    probe = NestedRidge(permutations=0).fit(X, y, controls=Z)
    plain = LinearRegression().fit(np.hstack([X, Z]), y)
    assert probe.coef_ == pytest.approx(plain.coef_[:3], abs=0.01)
    assert probe.predict(X, controls=Z) == pytest.approx(y, abs=0.2)
    both = NestedRidge(permutations=0).fit(X, np.column_stack([y, -y]), controls=Z)
    assert both.predict(X, controls=Z) == pytest.approx(np.column_stack([y, -y]), abs=0.2)


def test_what_a_probe_was_not_fitted_for_is_refused() -> None:
    rows = made(1)
    probe = NestedRidge(permutations=0).fit(rows.X, rows.y, controls=rows.Z, groups=rows.groups)
    with pytest.raises(ProbeError, match=r"controls must be(?s:.)*\(600, 0\)(?s:.)*\[600, 2\]"):
        probe.predict(rows.X, groups=rows.groups)
    with pytest.raises(ProbeError, match=r"longer than any(?s:.)*600 rows(?s:.)*at most 30"):
        probe.predict(rows.X, controls=rows.Z, groups=np.zeros(600))
    with pytest.raises(ValueError, match="expecting 4 features"):
        probe.predict(rows.X[:, :2], controls=rows.Z, groups=rows.groups)
    with pytest.raises(ProbeError, match="600 and 599"):
        NaiveCorrelation().fit(rows.X, rows.y[1:])
    with pytest.raises(ValueError, match="1d array"):
        NaiveCorrelation().fit(rows.X, np.column_stack([rows.y, rows.y]))


def test_probes_go_into_pipelines_and_cross_validation() -> None:
    rows = made(2, tracks=40, planted=1.5)
    pipeline = make_pipeline(StandardScaler(), PartialEffects(permutations=199, shifts=0))
    chosen = pipeline.fit_transform(
        rows.X, rows.y, partialeffects__controls=rows.Z, partialeffects__groups=rows.groups
    )
    assert chosen.shape[1] >= 1
    with sklearn.config_context(enable_metadata_routing=True):
        wanted = {"controls": True, "groups": True}
        probe = NestedRidge(permutations=0).set_fit_request(**wanted).set_score_request(**wanted)
        scores = cross_val_score(
            probe,
            rows.X,
            rows.y,
            cv=GroupKFold(2),
            params={"controls": rows.Z, "groups": rows.groups},
        )
    assert (scores > 0).all()
