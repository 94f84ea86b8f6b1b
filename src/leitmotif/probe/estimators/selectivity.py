"""Selectivity: how much better a probe does than on a task that needs no foresight.

Hewitt & Liang (2019), "Designing and interpreting probes with control tasks": give every type of
input an arbitrary but fixed answer and see how well the probe learns that. Here a type is a kind of
local sound, and its answer is drawn from the target's own values; a probe that does as well on it
reads the sound, not the future.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans

from leitmotif.errors import ProbeError, counted
from leitmotif.probe.estimators.nested import NestedRidge
from leitmotif.probe.panel.arguments import column, matrix, whole_number
from leitmotif.probe.panel.panel import Array


@dataclass(frozen=True)
class Selectivity:
    """R² of the features alone on the target and on the control task."""

    r2: float
    r2_control_task: float

    @property
    def selectivity(self) -> float:
        """How far the target is easier than the control task."""
        return self.r2 - self.r2_control_task


def sound_types(sound: Array, *, types: int = 32) -> NDArray[np.int64]:
    """Cluster rows of local sound [rows, p] into kinds by k-means: [rows], 0 to ``types`` - 1.

    Raises ProbeError for sound that is no table of finite numbers, and for fewer rows than types.
    """
    sound = matrix(sound, "local sound")
    if whole_number(types, "types", least=1) > len(sound):
        raise ProbeError(
            "fewer rows than types of sound",
            found=f"{counted(len(sound), 'row')}, {counted(types, 'type')}",
            expected="at least a row for each type",
        )
    return np.asarray(KMeans(types, n_init=1, random_state=0).fit_predict(sound), np.int64)


def control_task(types: NDArray[np.int64], y: Array, *, seed: int = 0) -> Array:
    """Give each type one of the target's values: [rows].

    ``types`` [rows] are whole numbers from 0. The values' mean and spread over rows stay close to
    the target's. Raises ProbeError if all types would get the same one, and for other shapes, NaN
    and negative types.
    """
    y = column(y, "targets")
    kinds = column(types, "types", rows=len(y))
    if (kinds < 0).any() or (kinds % 1).any():
        raise ProbeError(
            "these are no types",
            found=f"{kinds[(kinds < 0) | (kinds % 1 != 0)][0]:g}",
            expected="whole numbers from 0",
        )
    types = kinds.astype(np.int64)
    random = np.random.default_rng(seed)
    count = int(types.max()) + 1
    # Quantiles, in random order, so that a rare event is not left out by chance.
    values = np.quantile(y, (np.arange(count) + 0.5) / count, method="nearest")
    if values.min() == values.max():
        values[-1] = y.max() if y.max() > values[-1] else y.min()
    if values.min() == values.max():
        raise ProbeError("a control task needs a target with two values", found=f"{values[0]:g}")
    return np.asarray(random.permutation(values)[types])


def selectivity(
    X: ArrayLike, y: Array, types: NDArray[np.int64], *, groups: ArrayLike, folds: int, seed: int
) -> Selectivity:
    """Fit the features, without controls, to target and control task over the same folds."""
    y = column(y, "targets")
    both = np.column_stack([y, control_task(types, y, seed=seed)])
    probe = NestedRidge(folds=folds, permutations=0, place_means=False, random_state=seed)
    probe.fit(X, both, groups=groups)
    return Selectivity(*(interval.mean for interval in probe.r2_full_))
