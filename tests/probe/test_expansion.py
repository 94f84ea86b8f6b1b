import numpy as np
import pytest

from leitmotif.probe.estimators.expansion import expand
from leitmotif.probe.panel.panel import refuse_collinear

Z = np.random.default_rng(0).normal(size=(400, 3))


@pytest.mark.parametrize("target", [Z[:, 0] ** 2, np.abs(Z[:, 1]), np.sin(Z[:, 0] + Z[:, 2])])
def test_curves_that_lines_cannot_follow_are_explained(target) -> None:
    def left(columns):
        design = np.column_stack([np.ones(len(columns)), columns])
        return np.linalg.lstsq(design, target)[1][0] / ((target - target.mean()) ** 2).sum()

    assert left(expand(Z)) < 0.1 < left(Z)


def test_columns_are_independent_and_constant_ones_gone() -> None:
    flags = (Z[:, :1] > 0).astype(float)
    wide = expand(np.column_stack([Z, flags, np.ones(400), Z[:, 0]]))
    refuse_collinear(wide)
    assert expand(Z, knots=0, interactions=0) == pytest.approx(Z)


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_many_functions_of_few_columns_are_independent_together(columns) -> None:
    wide = expand(np.random.default_rng(0).normal(size=(1500, columns)))
    assert wide.shape[1] > 10
    refuse_collinear(wide)


def test_there_are_fewer_columns_than_rows() -> None:
    wide = expand(Z[:50])
    assert wide.shape == (50, 49)
    refuse_collinear(wide)
