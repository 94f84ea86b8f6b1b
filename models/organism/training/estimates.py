"""Means with their uncertainty, as every metrics file states them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Estimate = dict[str, float]
DRAWS = 2000


def estimate(
    values: Sequence[float] | NDArray[np.float64], pieces: Sequence[int] | None = None
) -> Estimate:
    """Mean with a 95 % percentile bootstrap interval over pieces.

    ``pieces`` says of which piece each value is; None: each is of a piece of its own. Values of one
    piece are drawn together, as one may tell of the other. ``n`` counts values, and ``pieces``
    pieces where these are fewer.
    """
    sample = np.asarray(values, dtype=np.float64)
    _, of = np.unique(range(len(sample)) if pieces is None else pieces, return_inverse=True)
    sums, counts = np.bincount(of, sample), np.bincount(of)
    draws = np.random.default_rng(0).integers(len(sums), size=(DRAWS, len(sums)))
    low, high = np.quantile(sums[draws].sum(1) / counts[draws].sum(1), [0.025, 0.975])
    rounded = [round(float(value), 4) + 0.0 for value in (sample.mean(), low, high)]  # no -0.0
    numbers = {"n": len(sample)} | ({} if pieces is None else {"pieces": len(sums)})
    return dict(zip(("mean", "low", "high"), rounded, strict=True)) | numbers
