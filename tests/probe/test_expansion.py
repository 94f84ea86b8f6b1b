import numpy as np
import pytest

from leitmotif.errors import ProbeError
from leitmotif.probe.estimators.expansion import expand
from leitmotif.probe.estimators.nested import NestedRidge
from leitmotif.probe.panel.panel import refuse_collinear

Z = np.random.default_rng(0).normal(size=(400, 3))
TRACKS = np.repeat(np.arange(20), 20)
PLACES = np.tile(np.arange(20), 20)


def left(columns, target):
    design = np.column_stack([np.ones(len(columns)), columns])
    return np.linalg.lstsq(design, target)[1][0] / ((target - target.mean()) ** 2).sum()


@pytest.mark.parametrize(
    "target", [Z[:, 0] ** 2, np.abs(Z[:, 1]), np.sin(Z[:, 0] + Z[:, 2]), np.sin(2 * Z[:, 1])]
)
def test_curves_that_lines_cannot_follow_are_explained(target) -> None:
    assert left(expand(Z), target) < 0.1 < left(Z, target)


def test_what_a_control_means_may_change_over_a_track() -> None:
    target = Z[:, 0] * np.sin(2 * np.pi * PLACES / 20)
    assert left(expand(Z, groups=TRACKS), target) < 0.03
    assert left(expand(Z), target) > 0.3


def test_columns_are_independent_and_constant_ones_gone() -> None:
    flags = (Z[:, :1] > 0).astype(float)
    wide = expand(np.column_stack([Z, flags, np.ones(400), Z[:, 0]]), groups=TRACKS)
    refuse_collinear(wide.values)
    assert expand(Z, knots=0, interactions=0).values == pytest.approx(Z)


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_many_functions_of_few_columns_are_independent_together(columns) -> None:
    wide = expand(np.random.default_rng(0).normal(size=(1500, columns)))
    assert wide.shape[1] > 10
    refuse_collinear(wide.values)


def test_there_are_fewer_columns_than_rows() -> None:
    wide = expand(Z[:50])
    assert wide.shape == (50, 49)
    refuse_collinear(wide.values)


def test_shapes_grow_from_the_controls_themselves_to_all_columns() -> None:
    curves = expand(Z, groups=TRACKS, knots=4, waves=2, interactions=8)
    assert curves.shapes[0] == (0, 1, 2)
    assert [len(shape) for shape in curves.shapes] == [3, 15, 9, 29]
    assert len(expand(Z, knots=0, interactions=0).shapes) == 1
    some = curves[TRACKS < 5]
    assert (len(some), some.shapes) == (100, curves.shapes)


def test_a_response_takes_the_shape_that_it_needs() -> None:
    """With curves at hand a line is fitted as well as without, and a bend is fitted."""
    noise = np.random.default_rng(1).normal(size=(400, 2))
    targets = np.column_stack([Z[:, 0], 2 * np.abs(Z[:, 0])]) + noise
    features = np.random.default_rng(2).normal(size=(400, 1))

    def explained(controls):
        probe = NestedRidge(permutations=0)
        probe.fit(features, targets, controls=controls, groups=TRACKS)
        return [interval.mean for interval in probe.r2_controls_]

    plain, curves = explained(Z), explained(expand(Z, groups=TRACKS))
    assert curves[0] == pytest.approx(plain[0], abs=0.02)
    assert curves[1] > plain[1] + 0.2


def test_rows_of_a_track_in_two_pieces_have_no_place() -> None:
    with pytest.raises(ProbeError, match="rows are not together"):
        expand(Z, groups=PLACES)
