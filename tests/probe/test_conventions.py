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
    one = made(0)
    assert clone(probe).fit(one.X, one.y).n_features_in_ == 4
    named = clone(probe).fit(pd.DataFrame(one.X, columns=list("abcd")), pd.Series(one.y))
    assert named.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        clone(probe).fit(csr_array(one.X), one.y)
    for bad in (one.X[:, 0], one.X[np.newaxis], one.X + 1j, np.empty((600, 0))):
        with pytest.raises(ValueError, match=r"array|Complex"):
            clone(probe).fit(bad, one.y)


def test_what_needs_a_fit_says_so() -> None:
    one = made(0)
    for call in (
        lambda: NestedRidge().predict(one.X),
        lambda: NestedRidge().score(one.X, one.y),
        lambda: PartialEffects().transform(one.X),
        lambda: NaiveCorrelation().score(one.X, one.y),
    ):
        with pytest.raises(NotFittedError):
            call()


def test_random_states_are_scikit_learns() -> None:
    assert seed_of(3) == seed_of(np.int64(3)) == 3
    assert seed_of(np.random.RandomState(1)) == seed_of(np.random.RandomState(1))
    assert seed_of(None) != seed_of(None)
    one = made(0)
    splits = [
        NestedRidge(permutations=0, random_state=state).fit(one.X, one.y).partial_r2_[0].mean
        for state in (1, 1, 2)
    ]
    assert splits[0] == splits[1] != splits[2]


def halves(one: Made, tracks: int) -> tuple[np.ndarray, np.ndarray]:
    first = one.groups < tracks // 2
    return first, ~first


def test_a_fitted_probe_is_scored_on_other_tracks() -> None:
    one = made(7, tracks=80, planted=1.5)
    seen, new = halves(one, 80)
    probe = NestedRidge(permutations=0)
    probe.fit(one.X[seen], one.y[seen], controls=one.Z[seen], groups=one.groups[seen])
    others = {"controls": one.Z[new], "groups": one.groups[new]}
    score = probe.score(one.X[new], one.y[new], **others)
    assert score == pytest.approx(probe.partial_r2_[0].mean, abs=0.15)
    assert 0.1 < score < 1
    predicted = probe.predict(one.X[new], **others)
    assert predicted.shape == (1200,)
    assert np.corrcoef(predicted, one.y[new])[0, 1] > 0.6
    assert np.abs(probe.coef_).argmax() == 0
    noise = np.random.default_rng(0).normal(size=one.X.shape)
    probe.fit(noise[seen], one.y[seen], controls=one.Z[seen], groups=one.groups[seen])
    assert probe.score(noise[new], one.y[new], **others) == pytest.approx(0, abs=0.02)


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
    one = made(1)
    probe = NestedRidge(permutations=0).fit(one.X, one.y, controls=one.Z, groups=one.groups)
    with pytest.raises(ProbeError, match=r"controls must be(?s:.)*\(600, 0\)(?s:.)*\[600, 2\]"):
        probe.predict(one.X, groups=one.groups)
    with pytest.raises(ProbeError, match=r"longer than any(?s:.)*600 rows(?s:.)*at most 30"):
        probe.predict(one.X, controls=one.Z, groups=np.zeros(600))
    with pytest.raises(ValueError, match="expecting 4 features"):
        probe.predict(one.X[:, :2], controls=one.Z, groups=one.groups)
    with pytest.raises(ProbeError, match="600 and 599"):
        NaiveCorrelation().fit(one.X, one.y[1:])
    with pytest.raises(ValueError, match="1d array"):
        NaiveCorrelation().fit(one.X, np.column_stack([one.y, one.y]))


def test_probes_go_into_pipelines_and_cross_validation() -> None:
    one = made(2, tracks=40, planted=1.5)
    pipeline = make_pipeline(StandardScaler(), PartialEffects(permutations=199, shifts=0))
    chosen = pipeline.fit_transform(
        one.X, one.y, partialeffects__controls=one.Z, partialeffects__groups=one.groups
    )
    assert chosen.shape[1] >= 1
    with sklearn.config_context(enable_metadata_routing=True):
        wanted = {"controls": True, "groups": True}
        probe = NestedRidge(permutations=0).set_fit_request(**wanted).set_score_request(**wanted)
        scores = cross_val_score(
            probe,
            one.X,
            one.y,
            cv=GroupKFold(2),
            params={"controls": one.Z, "groups": one.groups},
        )
    assert (scores > 0).all()
