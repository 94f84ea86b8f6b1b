"""Controls made able to explain curves and interactions, not only straight lines.

The tests are calibrated when the controls' part of the target is removed, whatever its shape. A
linear regression would leave the curved part in both residuals, where it looks like a link. Curves
that are not needed cost as well: the noise in their weights is in both residuals too. So controls
come in several shapes, and a cross-validation chooses one for each feature and each target.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leitmotif.probe.panel.arguments import matrix, whole_number
from leitmotif.probe.panel.curves import Curves
from leitmotif.probe.panel.panel import (
    Array,
    constant_columns,
    dependent_columns,
    places,
    track_slices,
)

LINES, BENDS, WAVES, INTERACTIONS = range(4)
"""What a column is."""
SHAPES = ((LINES,), (LINES, BENDS), (LINES, WAVES), (LINES, BENDS, WAVES, INTERACTIONS))
"""What may explain a response, the simplest first."""


def expand(
    controls: Array,
    *,
    groups: ArrayLike | None = None,
    knots: int = 8,
    waves: int = 5,
    interactions: int = 64,
    seed: int = 0,
) -> Curves:
    """Expand controls with bends, with products with the place in the track, and with interactions.

    Uses the controls and places alone, so it may be applied before the folds are made. Collinear
    columns are left out.

    Parameters
    ----------
    controls: [rows, p].
    groups: each row's track [rows]; without them nothing is crossed with the place.
    knots: bends of each column that takes more values than that, max(0, z - quantile), at quantiles
        from 0.02 to 0.98.
    waves: each column times cosines of the place, of half a period to so many halves over the
        longest track: what a control means may differ from the beginning of a track to its end.
    interactions: random Fourier features of a Gaussian kernel over the standardised columns (Rahimi
        & Recht 2007), as wide as the median distance of two rows.
    seed: of these.

    Returns
    -------
    The columns, and which of them may explain a response together, the simplest set first.

    Raises ProbeError for controls that are no table of finite numbers, and for rows of a track that
    are not together.

    Example
    -------
    >>> import numpy as np
    >>> curves = expand(np.random.default_rng(0).normal(size=(500, 2)), interactions=0)
    >>> curves.shape, [len(shape) for shape in curves.shapes]
    ((500, 18), [2, 18])
    """
    for name, value in (("knots", knots), ("waves", waves), ("interactions", interactions)):
        whole_number(value, name)
    whole_number(seed, "seed")
    if getattr(controls, "ndim", 0) != 2 or controls.shape[1]:
        controls = matrix(controls, "controls")
    spread = controls.std(axis=0)
    scaled = (controls - controls.mean(axis=0)) / np.where(spread > 0, spread, 1)
    blocks = [(LINES, controls)]
    blocks += [(BENDS, bends) for bends in _bends(scaled, knots)]
    if waves and groups is not None:
        blocks.append((WAVES, _crossed(scaled, groups, waves)))
    if interactions and controls.shape[1]:
        random = np.random.default_rng(seed)
        blocks.append((INTERACTIONS, _fourier(scaled, interactions, random)))
    wide = np.hstack([block for _, block in blocks])
    kinds = np.repeat([kind for kind, _ in blocks], [block.shape[1] for _, block in blocks])
    kept = np.setdiff1d(np.arange(wide.shape[1]), constant_columns(wide))
    kept = kept[_independent(wide[:, kept])]
    columns = [np.flatnonzero(np.isin(kinds[kept], shape)).tolist() for shape in SHAPES]
    return Curves(wide[:, kept], tuple(dict.fromkeys(map(tuple, columns))))


def _bends(scaled: Array, knots: int) -> list[Array]:
    bent = []
    for column in scaled.T if knots else ():
        if len(np.unique(column)) > knots:
            # Out to the tails: between the outermost bends and them a line is all there is.
            at = np.unique(np.quantile(column, np.linspace(0.02, 0.98, knots)))
            bent.append(np.maximum(0, column[:, np.newaxis] - at))
    return bent


def _crossed(scaled: Array, groups: ArrayLike, waves: int) -> Array:
    at = places(track_slices(groups, rows=len(scaled)))
    phase = np.pi * (at + 0.5)[:, np.newaxis] / (at.max() + 1)
    return np.hstack([scaled * np.cos(number * phase) for number in range(1, waves + 1)])


def _fourier(scaled: Array, count: int, random: np.random.Generator) -> Array:
    some = scaled[random.choice(len(scaled), size=min(len(scaled), 300), replace=False)]
    distances = np.linalg.norm(some[:, np.newaxis] - some[np.newaxis], axis=-1)
    width = float(np.median(distances[distances > 0])) if (distances > 0).any() else 1.0
    directions = random.normal(size=(scaled.shape[1], count)) / width
    phases = random.uniform(0, 2 * np.pi, size=count)
    return np.asarray(np.cos(scaled @ directions + phases))


def _independent(columns: Array) -> NDArray[np.int64]:
    """Columns that do not follow from those before them."""
    centred = columns - columns.mean(axis=0)
    centred /= np.sqrt((centred**2).sum(axis=0))
    triangle = np.asarray(np.linalg.qr(centred, mode="r"))
    kept = np.flatnonzero(np.abs(np.diag(triangle)) > 1e-6)
    # Many smooth functions of few columns are dependent together though no one is of those before.
    # The triangle has the products of the columns and far fewer rows.
    return np.delete(kept, dependent_columns(triangle[:, kept]))
