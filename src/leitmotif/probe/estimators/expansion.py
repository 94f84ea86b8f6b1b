"""Controls made able to explain curves and interactions, not only straight lines.

The tests are calibrated when the controls' part of the target is removed, whatever its shape. A
linear regression would leave the curved part in both residuals, where it looks like a link.
"""

import numpy as np

from leitmotif.probe.panel.arguments import matrix, whole_number
from leitmotif.probe.panel.panel import Array, constant_columns, redundant_columns


def expand(controls: Array, *, knots: int = 4, interactions: int = 64, seed: int = 0) -> Array:
    """Controls [rows, p] with bends at quantiles, and random smooth functions of all together.

    ``knots`` bends for each column that takes more values than that: max(0, z - quantile).
    ``interactions`` random Fourier features of a Gaussian kernel over the standardised columns
    (Rahimi & Recht 2007), as wide as the median distance of two rows. Uses the controls alone, so
    it may be applied before the folds are made. Returns [rows, p + ...], collinear columns left
    out. Raises ProbeError for controls that are no table of finite numbers.
    """
    whole_number(knots, "knots")
    whole_number(interactions, "interactions")
    whole_number(seed, "seed")
    if np.ndim(controls) != 2 or np.shape(controls)[1]:
        controls = matrix(controls, "controls")
    spread = controls.std(axis=0)
    scaled = (controls - controls.mean(axis=0)) / np.where(spread > 0, spread, 1)
    columns = [controls]
    for column in scaled.T:
        bends = np.unique(np.quantile(column, np.linspace(0, 1, knots + 2)[1:-1]))
        if knots and len(np.unique(column)) > knots:
            columns.append(np.maximum(0, column[:, np.newaxis] - bends))
    if interactions and controls.shape[1] > 0:
        columns.append(_fourier(scaled, interactions, np.random.default_rng(seed)))
    wide = np.hstack(columns)
    kept = np.setdiff1d(np.arange(wide.shape[1]), constant_columns(wide))
    return _independent(wide[:, kept])


def _fourier(scaled: Array, count: int, random: np.random.Generator) -> Array:
    some = scaled[random.choice(len(scaled), size=min(len(scaled), 300), replace=False)]
    distances = np.linalg.norm(some[:, np.newaxis] - some[np.newaxis], axis=-1)
    width = float(np.median(distances[distances > 0])) if (distances > 0).any() else 1.0
    directions = random.normal(size=(scaled.shape[1], count)) / width
    phases = random.uniform(0, 2 * np.pi, size=count)
    return np.asarray(np.cos(scaled @ directions + phases))


def _independent(columns: Array) -> Array:
    """Leave out columns that follow from those before them."""
    centred = columns - columns.mean(axis=0)
    centred /= np.sqrt((centred**2).sum(axis=0))
    size = np.abs(np.diag(np.linalg.qr(centred, mode="r")))
    kept = columns[:, np.flatnonzero(size > 1e-6)]
    # Many smooth functions of few columns are dependent together though no one is of those before.
    return np.delete(kept, redundant_columns(kept), axis=1)
