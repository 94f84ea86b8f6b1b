import numpy as np
import pytest
from scipy.stats import pearsonr

from leitmotif.errors import ProbeError
from leitmotif.probe.estimators.naive import NaiveCorrelation
from tests.probe.made import made, noise


def test_it_is_pearsons_test_over_all_rows() -> None:
    rows = made(0)
    correlation = NaiveCorrelation().fit(rows.X, rows.y)
    for column, r, p in zip(rows.X.T, correlation.r_, correlation.p_, strict=True):
        expected = pearsonr(column, rows.y)
        assert r == pytest.approx(expected.statistic)
        assert p == pytest.approx(expected.pvalue)
    assert correlation.score(rows.X, rows.y) == pytest.approx((correlation.r_**2).max())


def test_it_calls_autocorrelated_noise_significant() -> None:
    random = np.random.default_rng(1)
    y = noise(random, 20, 50, 1).reshape(-1)
    X = noise(random, 20, 50, 200).reshape(-1, 200)
    assert (NaiveCorrelation().fit(X, y).p_ <= 0.05).mean() > 0.3


def test_constants_are_refused() -> None:
    with pytest.raises(ProbeError, match="constant targets"):
        NaiveCorrelation().fit(np.arange(6.0)[:, None], np.ones(6))
