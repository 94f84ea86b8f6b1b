"""The fits of the nested ridge to one test fold, for every exchange of the targets at once."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    for fold, tracks in enumerate(data.folds):
        if exchanging:
            rows = [data.tracks[track] for track in tracks]
            products.append(pair_products([X[row] for row in rows], [Y[row] for row in rows]))
        else:
            inside = sums.design.members[fold]
            products.append((X[inside].T @ Y[inside])[np.newaxis, np.newaxis])
    return Fold(train, test, grams, products, sums.rows), scale


def fitted(fold: Fold, order: Exchanges) -> tuple[Array, Array]:
    """Fit every exchange: by how much it lowers the test fold's squared error [1 + P, H].

    Also the weights [d, H] of the first one, which exchanges nothing.
    """
    d, H = fold.products[0].shape[2:]
    inner = [_eigen(fold, [g for g in fold.train if g != held], held) for held in fold.train]
    outer = _eigen(fold, fold.train, fold.test)
    gains, first = [], None
    for start in range(0, len(order[0]), _BLOCK):
        crosses = [
            _crosses(p, o[start : start + _BLOCK])
            for p, o in zip(fold.products, order, strict=True)
        ]
        whole = np.sum([crosses[g] for g in fold.train], axis=0)
        losses = np.zeros((len(FEATURE_PENALTIES), whole.shape[1]))
        for ridge, held in zip(inner, fold.train, strict=True):
            losses += ridge.losses(whole - crosses[held], crosses[held])
        penalties = np.array(FEATURE_PENALTIES)[losses.argmin(axis=0)]
        weights = outer.solve(whole, penalties)
        gains.append(-outer.loss(weights, crosses[fold.test]))
        if first is None:
            first = outer.vectors @ weights[:, :H]
    return np.concatenate(gains).reshape(-1, H), np.asarray(first).reshape(d, H)


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

    def loss(self, weights: Array, cross: Array) -> Array:
        """Squared error on the test rows over that of predicting 0: w'Gw - 2 w'c, [Q]."""
        return self._loss(weights, self.vectors.T @ cross)

    def losses(self, train: Array, test: Array) -> Array:
        """``loss`` at every penalty: [penalties, Q]."""
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
