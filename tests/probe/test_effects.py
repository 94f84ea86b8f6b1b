import numpy as np
import pytest
from scipy.stats import kstest, ttest_1samp

from leitmotif.errors import ProbeError
from leitmotif.probe.estimators.effects import PartialEffects, residuals
from leitmotif.probe.panel.panel import panel
from tests.probe.made import made


def test_the_statistic_is_a_t_test_over_tracks() -> None:
    one = made(0)
    found = PartialEffects(permutations=99, shifts=0).fit(
        one.X, one.y, controls=one.Z, groups=one.groups
    )
    data = panel(one.X, one.y, controls=one.Z, groups=one.groups, folds=5, seed=0)
    left = residuals(data, place_means=True)
    expected = ttest_1samp(left.products[:, :, 0], 0)
    assert found.t_ == pytest.approx(expected.statistic)
    assert found.p_t_ == pytest.approx(expected.pvalue)
    X, y = np.vstack(left.features), np.vstack(left.targets)[:, 0]
    partial = [x @ y / np.sqrt(x @ x * (y @ y)) for x in X.T]
    assert found.effect_ == pytest.approx(partial)
    assert ((found.low_ < found.effect_) & (found.effect_ < found.high_)).all()


def test_a_planted_feature_is_chosen_before_all_others() -> None:
    one = made(1, tracks=40, planted=1.5, memory=0.8)
    found = PartialEffects().fit(one.X, one.y, controls=one.Z, groups=one.groups)
    assert found.get_support()[0]
    assert found.effect_.argmax() == found.q_.argmin() == 0
    assert found.low_[0] > 0
    assert found.transform(one.X)[:, 0] == pytest.approx(one.X[:, 0])
    assert (found.effect_by_fold_[:, 0] > 0).all()
    assert found.p_shift_[0] < 0.01


def test_horizons_are_tested_one_by_one() -> None:
    one, other = made(2), made(3)
    settings = {"controls": one.Z, "groups": one.groups}
    both = PartialEffects(shifts=50).fit(one.X, np.column_stack([one.y, other.y]), **settings)
    alone = PartialEffects(shifts=50).fit(one.X, other.y, **settings)
    for name in ("effect_", "low_", "p_", "p_t_", "p_shift_", "q_"):
        assert getattr(both, name)[:, 1] == pytest.approx(getattr(alone, name)), name


def test_a_function_of_the_controls_has_no_effect() -> None:
    one = made(4)
    X = np.column_stack([one.X, np.tile(np.arange(30.0), 20)])  # the place itself
    found = PartialEffects(shifts=20).fit(X, one.y, controls=one.Z, groups=one.groups)
    assert found.effect_[-1] == 0
    assert found.p_[-1] == found.p_t_[-1] == found.p_shift_[-1] == found.q_[-1] == 1


def test_too_few_permutations_are_refused_with_the_number_needed() -> None:
    one = made(5)
    with pytest.raises(ProbeError, match=r"78 permutations(?s:.)*at least 79, for 4 features"):
        PartialEffects(permutations=78).fit(one.X, one.y, groups=one.groups)


def test_p_values_of_true_nulls_are_uniform() -> None:
    # Independent data sets, so that the test of uniformity may count them as independent.
    p, p_t = [], []
    for seed in range(150):
        one = made(1000 + seed, tracks=24, length=25, d=1, memory=0.98)
        found = PartialEffects(permutations=199, shifts=0).fit(
            one.X, one.y, controls=one.Z, groups=one.groups
        )
        p.append(found.p_[0])
        p_t.append(found.p_t_[0])
    assert kstest(p, "uniform").pvalue > 0.01
    assert kstest(p_t, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) <= 0.05) < 0.1
