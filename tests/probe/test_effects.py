import numpy as np
import pytest
from scipy.stats import kstest, ttest_1samp

from leitmotif.errors import ProbeError
from leitmotif.probe.estimators.algebra import Sums
from leitmotif.probe.estimators.effects import PartialEffects
from leitmotif.probe.estimators.residuals import residuals
from leitmotif.probe.panel.panel import panel
from tests.probe.made import made


def test_the_statistic_is_a_t_test_over_tracks() -> None:
    rows = made(0)
    effects = PartialEffects(permutations=99, shifts=0).fit(
        rows.X, rows.y, controls=rows.Z, groups=rows.groups
    )
    data = panel(rows.X, rows.y, controls=rows.Z, groups=rows.groups, folds=5, seed=0)
    left = residuals(Sums(data, place_means=True, gram=False))
    expected = ttest_1samp(left.products[:, :, 0], 0)
    assert (effects.inflation_ >= 1).all()
    assert effects.t_ * effects.inflation_ == pytest.approx(expected.statistic)
    X, y = np.vstack(left.features), np.vstack(left.targets)[:, 0]
    partial = [x @ y / np.sqrt(x @ x * (y @ y)) for x in X.T]
    assert effects.effect_ == pytest.approx(partial)
    assert ((effects.low_ < effects.effect_) & (effects.effect_ < effects.high_)).all()


def test_a_planted_feature_is_chosen_before_all_others() -> None:
    rows = made(1, tracks=40, planted=1.5, memory=0.8)
    effects = PartialEffects().fit(rows.X, rows.y, controls=rows.Z, groups=rows.groups)
    assert effects.get_support()[0]
    assert effects.effect_.argmax() == effects.q_.argmin() == 0
    assert effects.low_[0] > 0
    assert effects.transform(rows.X)[:, 0] == pytest.approx(rows.X[:, 0])
    assert (effects.effect_by_fold_[:, 0] > 0).all()
    assert effects.p_shift_[0] < 0.01


def test_horizons_are_tested_one_by_one() -> None:
    rows, other = made(2), made(3)
    settings = {"controls": rows.Z, "groups": rows.groups}
    both = PartialEffects(shifts=50).fit(rows.X, np.column_stack([rows.y, other.y]), **settings)
    alone = PartialEffects(shifts=50).fit(rows.X, other.y, **settings)
    for name in ("effect_", "low_", "p_", "p_t_", "p_shift_", "q_"):
        assert getattr(both, name)[:, 1] == pytest.approx(getattr(alone, name)), name


def test_a_function_of_the_controls_has_no_effect() -> None:
    rows = made(4)
    X = np.column_stack([rows.X, np.tile(np.arange(30.0), 20)])  # the place itself
    effects = PartialEffects(shifts=20).fit(X, rows.y, controls=rows.Z, groups=rows.groups)
    assert effects.effect_[-1] == 0
    assert effects.p_[-1] == effects.p_t_[-1] == effects.p_shift_[-1] == effects.q_[-1] == 1


def test_too_few_permutations_are_refused_with_the_number_needed() -> None:
    rows = made(5)
    with pytest.raises(ProbeError, match=r"78 permutations(?s:.)*at least 79, for 4 features"):
        PartialEffects(permutations=78).fit(rows.X, rows.y, groups=rows.groups)


def test_p_values_of_true_nulls_are_uniform() -> None:
    # Independent data sets, so that the test of uniformity may count them as independent.
    p, p_t = [], []
    for seed in range(150):
        rows = made(1000 + seed, tracks=24, length=25, d=1, memory=0.98)
        effects = PartialEffects(permutations=199, shifts=0).fit(
            rows.X, rows.y, controls=rows.Z, groups=rows.groups
        )
        p.append(effects.p_[0])
        p_t.append(effects.p_t_[0])
    assert kstest(p, "uniform").pvalue > 0.01
    assert kstest(p_t, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) <= 0.05) < 0.1
