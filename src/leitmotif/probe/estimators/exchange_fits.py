"""The fits of the nested ridge to one test fold, for every exchange of the targets at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from leitmotif.errors import ProbeError, counted
from leitmotif.probe.estimators.algebra import Sums
from leitmotif.probe.estimators.nulls import Exchanges, exchanged, pair_products
from leitmotif.probe.panel.panel import Array, explained_away

FEATURE_PENALTIES = tuple(10.0**power for power in range(-3, 4))
"""Ridge penalties for the features, per row, in units of their own residual variance."""
_BLOCK = 256
"""Exchanges that are fitted at a time; bounds the memory."""


@dataclass(frozen=True)
class Fold:
    """One test fold: sums over what the training folds' control model leaves of every fold."""

    train: list[int]
    test: int
    grams: list[Array]
    """[d, d] each"""
    products: list[Array]
    """[n, n, d, H] each, or [1, 1, d, H] summed over the fold's tracks if nothing is exchanged."""
    rows: Array
    features: Array
    """[rows, d], what is left of the features, scaled."""
    targets: Array
    """[rows, H], what is left of the targets."""
    tracks: list[list[slice]]
    """Rows of each track, by fold."""


def prepared(
    sums: Sums, B: Array, train: list[int], test: int, *, exchanging: bool
) -> tuple[Fold, Array]:
    """Sums of one test fold with features scaled to unit variance in training; and the scale."""
    data = sums.panel
    grams = [sums.left_of_features(B, fold) for fold in range(len(data.folds))]
    left = np.sum([np.diag(grams[fold]) for fold in train], axis=0)
    raw = np.sum([sums.squares[fold][: sums.d] for fold in train], axis=0)
    away = explained_away(left, raw)
    if away.all():
        raise ProbeError(
            "every feature is a function of the controls",
            found=f"{counted(len(away), 'feature')} with nothing left",
            fix="leave out the controls that are made of these features",
        )
    scale = np.where(away, np.inf, np.sqrt(np.maximum(left, 0) / sums.rows[train].sum()))
    grams = [gram / np.outer(scale, scale) for gram in grams]
    X, Y = sums.residual(B, slice(None))
    X /= scale
    products = []
    folds = [[data.tracks[track] for track in tracks] for tracks in data.folds]
    for fold, rows in enumerate(folds):
        if exchanging:
            products.append(pair_products([X[row] for row in rows], [Y[row] for row in rows]))
        else:
            inside = sums.design.members[fold]
            products.append((X[inside].T @ Y[inside])[np.newaxis, np.newaxis])
    return Fold(train, test, grams, products, sums.rows, X, Y, folds), scale


@dataclass(frozen=True)
class FitGains:
    """By how much fits lower the test fold's squared error: sums over its tracks, [fits, H]."""

    total: Array
    squares: Array
    """Sum of squares of the tracks' gains."""


def fitted(solver: "Solver", order: Exchanges) -> tuple[FitGains, Array]:
    """Fit every exchange: the gains [1 + P, H] of each, and the weights [d, H] of the first.

    The first exchanges nothing.
    """
    fold = solver.fold
    H = fold.products[0].shape[3]
    parts, first = [], None
    for start in range(0, len(order[0]), _BLOCK):
        part = [whose[start : start + _BLOCK] for whose in order]
        crosses = [_crosses(p, o) for p, o in zip(fold.products, part, strict=True)]
        weights = solver.weights(crosses)
        first = weights[:, :H] if first is None else first
        pairs, whose = fold.products[fold.test], part[fold.test]
        if len(pairs) == len(fold.tracks[fold.test]):
            parts.append(solver.gains(weights, partial(_met, pairs, whose), H=H))
    assert first is not None
    empty = np.zeros((0, H))
    return (
        FitGains(
            np.concatenate([empty, *(part.total for part in parts)]),
            np.concatenate([empty, *(part.squares for part in parts)]),
        ),
        first,
    )


def fitted_again(solver: "Solver", targets: Array, *, H: int) -> FitGains:
    """Fit to other targets [rows, fits * H] in place of the exchanged ones."""
    fold = solver.fold
    met = [[fold.features[rows].T @ targets[rows] for rows in tracks] for tracks in fold.tracks]
    weights = solver.weights([np.sum(products, axis=0) for products in met])
    return solver.gains(weights, met[fold.test].__getitem__, H=H)


def _met(pairs: Array, whose: NDArray[np.int64], track: int) -> Array:
    """[d, exchanges * H], products of a track's features with the targets that they meet."""
    met = pairs[track, whose[:, track]].transpose(1, 0, 2)
    return np.ascontiguousarray(met).reshape(len(met), -1)


class Solver:
    """Decompositions of one test fold, which serve every right-hand side."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self.inner = [
            _eigen(fold, [other for other in fold.train if other != held], held)
            for held in fold.train
        ]
        self.outer = _eigen(fold, fold.train, fold.test)

    def weights(self, crosses: Sequence[Array]) -> Array:
        """Weights [d, Q] of ridge fits to the training folds, from X'y [d, Q] of every fold."""
        train = self.fold.train
        whole = np.sum([crosses[fold] for fold in train], axis=0)
        losses = np.zeros((len(FEATURE_PENALTIES), whole.shape[1]))
        for ridge, held in zip(self.inner, train, strict=True):
            losses += ridge.losses(whole - crosses[held], crosses[held])
        penalties = np.array(FEATURE_PENALTIES)[losses.argmin(axis=0)]
        return np.asarray(self.outer.vectors @ self.outer.solve(whole, penalties))

    def gains(self, weights: Array, met: Callable[[int], Array], *, H: int) -> FitGains:
        """Gains in the test fold, with ``met`` X'y [d, Q] of each of its tracks."""
        total, squares = np.zeros((2, weights.shape[1]))
        for track, rows in enumerate(self.fold.tracks[self.fold.test]):
            predicted = self.fold.features[rows] @ weights
            gain = 2 * np.einsum("dq,dq->q", weights, met(track))
            gain -= np.einsum("tq,tq->q", predicted, predicted)
            total += gain
            squares += gain**2
        return FitGains(total.reshape(-1, H), squares.reshape(-1, H))


def _crosses(products: Array, order: NDArray[np.int64]) -> Array:
    """[d, permutations * H], the right-hand sides of some exchanges within one fold."""
    order = order if len(products) > 1 else np.zeros((len(order), 1), np.int64)
    summed = exchanged(products, order)
    return np.ascontiguousarray(summed.transpose(1, 0, 2)).reshape(summed.shape[1], -1)


@dataclass(frozen=True)
class _Eigen:
    """Ridge on one training set, in the eigenvectors of its Gram matrix, for any right-hand side.

    (G + λ)^-1 c = V (Λ + λ)^-1 V'c: one decomposition serves every penalty, horizon and exchange.
    """

    values: Array
    vectors: Array
    rows: float
    test: Array
    """Gram matrix of the test rows in the same coordinates."""

    def solve(self, cross: Array, penalties: Array | float) -> Array:
        """Weights [d, Q] in the eigenvectors, for X'y [d, Q] and a penalty for each."""
        return self._divided(self.vectors.T @ cross, penalties)

    def losses(self, train: Array, test: Array) -> Array:
        """Squared error on the test rows, less that of predicting 0: [penalties, Q]."""
        turned, crossed = self.vectors.T @ train, self.vectors.T @ test
        return np.stack(
            [self._loss(self._divided(turned, penalty), crossed) for penalty in FEATURE_PENALTIES]
        )

    def _divided(self, turned: Array, penalties: Array | float) -> Array:
        return np.asarray(turned / (self.values[:, np.newaxis] + self.rows * np.asarray(penalties)))

    def _loss(self, weights: Array, crossed: Array) -> Array:
        return np.asarray(np.einsum("dq,dq->q", weights, self.test @ weights - 2 * crossed))


def _eigen(fold: Fold, train: Sequence[int], test: int) -> _Eigen:
    values, vectors = eigh(np.sum([fold.grams[g] for g in train], axis=0))
    turned = vectors.T @ fold.grams[test] @ vectors
    return _Eigen(np.maximum(values, 0), vectors, float(fold.rows[list(train)].sum()), turned)
