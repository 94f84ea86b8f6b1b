"""What scikit-learn's conventions ask of every probe: arrays it may be given, and randomness."""

from typing import Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import validate_data

from leitmotif.errors import ProbeError
from leitmotif.probe.panel.arguments import (
    Array,
    DenseError,
    refuse_hidden,
    refuse_other_types,
    whole_number,
)

Seed = int | RandomState | None
"""``random_state``: a number gives the same result each time, None another one each time."""


def features_of(probe: BaseEstimator, X: ArrayLike, *, fitted: bool = False) -> Array:
    """Return features [rows, d] in float64, with d what ``probe`` was fitted to, if it was.

    Raises ValueError for another shape, complex numbers and one row, TypeError for sparse tables.
    NaN and infinity are left to ``panel.matrix``, which says where they are.
    """
    refuse_hidden(X, "features")
    refuse_other_types(X, "features")
    settings = {"dtype": np.float64, "ensure_all_finite": False, "reset": not fitted}
    try:
        checked = validate_data(probe, X, ensure_min_samples=1 if fitted else 2, **settings)
    except (TypeError, OverflowError, RuntimeError) as error:
        raise DenseError("features are not numbers", found=error) from error
    return np.asarray(checked)


def targets_of(y: ArrayLike) -> Array:
    """Return targets [rows] or [rows, H] in float64; raises ValueError for another shape."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    refuse_hidden(y, "targets")
    refuse_other_types(y, "targets")
    try:
        checked = check_array(y, dtype=np.float64, ensure_2d=False, ensure_all_finite=False)
    except (TypeError, OverflowError, RuntimeError) as error:
        raise ProbeError("targets are not numbers", found=error) from error
    return np.asarray(checked)


class ControlColumns(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The columns of the controls that a probe was fitted with, by scikit-learn's own rules.

    Names of a data frame have to be the same, in the same order; that names are given once only is
    a warning.
    """

    def fit(self, controls: ArrayLike) -> Self:
        """Remember the columns."""
        validate_data(self, controls, skip_check_array=True)
        return self

    def check(self, controls: ArrayLike) -> None:
        """Raise ValueError for other columns than those remembered."""
        validate_data(self, controls, reset=False, skip_check_array=True)


def seed_of(random_state: Seed) -> int:
    """Return a number for NumPy's generators: the one given, or one drawn."""
    if isinstance(random_state, int | np.integer):
        return whole_number(random_state, "random_state")
    return int(check_random_state(random_state).randint(2**31 - 1))


def as_given(values: NDArray[np.float64], y: Array) -> NDArray[np.float64]:
    """Drop the last axis of [..., H] where the target had no horizons, [rows]."""
    return values if y.ndim > 1 else values[..., 0]
