"""Means with their uncertainty, as every metrics file states them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Estimate = dict[str, float]
DRAWS = 2000


def estimate(values: Sequence[float] | NDArray[np.float64]) -> Estimate:
    """Mean with a 95 % percentile bootstrap interval over ``values``."""
    sample = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(0).integers(len(sample), size=(DRAWS, len(sample)))
    low, high = np.quantile(sample[draws].mean(1), [0.025, 0.975])
    rounded = [round(float(value), 4) + 0.0 for value in (sample.mean(), low, high)]  # no -0.0
    return dict(zip(("mean", "low", "high"), rounded, strict=True)) | {"n": len(sample)}
