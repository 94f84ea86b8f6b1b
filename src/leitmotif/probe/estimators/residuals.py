"""What the controls leave of features and targets, from fits to other tracks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leitmotif.probe.estimators.algebra import Sums
from leitmotif.probe.panel.panel import Array, explained_away, refuse_nothing_left


@dataclass(frozen=True)
class Residuals:
    """What the controls leave of features and targets, cross-fitted, track by track."""

    features: list[Array]
    """[T, d] each, in the order of the tracks"""
    targets: list[Array]
    """[T, H] each"""
    nothing: NDArray[np.bool_]
    """[d], features of which nothing is left."""
    products: Array
    """[tracks, d, H], each track's score: the sum over its rows of feature times target."""
    squares: Array
    """[tracks, d]"""
    choices: NDArray[np.int64]
    """[folds, d + H], which fit of the controls each response took; see ``Design.fits``."""


def residuals(sums: Sums, *, choices: NDArray[np.int64] | None = None) -> Residuals:
    """Regress features and targets on the controls over the other folds, for each fold.

    ``choices`` [folds, d + H] say which fits to take, by default those that predict best.
    """
    data = sums.panel
    features: list[Array] = [np.empty(0)] * len(data.tracks)
    targets: list[Array] = [np.empty(0)] * len(data.tracks)
    taken = []
    for fold, tracks in enumerate(data.folds):
        train = [other for other in range(len(data.folds)) if other != fold]
        taken.append(sums.choice(train) if choices is None else choices[fold])
        B = sums.nuisance(train, taken[-1])
        X, Y = sums.residual(B, sums.design.members[fold])
        ends = np.cumsum([data.tracks[track].stop - data.tracks[track].start for track in tracks])
        for track, own_x, own_y in zip(tracks, np.split(X, ends), np.split(Y, ends), strict=False):
            features[track], targets[track] = own_x, own_y
    squares = np.stack([(X**2).sum(axis=0) for X in features])
    raw = np.sum([square[: sums.d] for square in sums.squares], axis=0)
    nothing = explained_away(squares.sum(axis=0), raw)
    refuse_nothing_left(
        np.sum([(Y**2).sum(axis=0) for Y in targets], axis=0),
        np.sum([square[sums.d :] for square in sums.squares], axis=0),
    )
    for X in features:
        X[:, nothing] = 0
    products = np.stack([X.T @ Y for X, Y in zip(features, targets, strict=True)])
    return Residuals(features, targets, nothing, products, squares, np.stack(taken))
