"""Nested ridge: what the features add to the controls on tracks that neither model has seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from sklearn.base import BaseEstimator

from leitmotif.errors import ProbeError
from leitmotif.intervals import Interval, track_weights
from leitmotif.probe.algebra import Sums
from leitmotif.probe.intervals import auroc, explained
from leitmotif.probe.nulls import Exchanges, exchanged, exchanges, p_value, pair_products
from leitmotif.probe.panel import Array, Panel, explained_away, panel

FEATURE_PENALTIES = tuple(10.0**power for power in range(-3, 4))
"""Ridge penalties for the features, per row, in units of their own residual variance."""
_BLOCK = 256
"""Exchanges that are fitted at a time; bounds the memory."""


@dataclass(frozen=True)
class _Fold:
    """One test fold: sums over what the training folds' control model leaves of every fold."""

    train: list[int]
    test: int
    grams: list[Array]
    """[d, d] each"""
    products: list[Array]
    """[n, n, d, H] each, or [1, 1, d, H] summed over the fold's tracks if nothing is exchanged."""
    rows: Array


class NestedRidge(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Ridge on controls, then on controls and features, over folds that hold whole tracks.

    For each test fold the training folds give a ridge regression of target and features on the
    controls and the place in the track, and one of what is left of the target on what is left of
    the features. Penalties are chosen inside the training folds. The p-value comes from exchanging
    the target's residuals between tracks of a fold and fitting everything after the controls anew,
    penalty included.

    Parameters
    ----------
    folds: number of folds; at least 3, with 4 tracks or more in each.
    permutations: exchanges for the p-value; 0 for none.
    place_means: whether each place in the track has a mean of its own in the control model.
    seed: of the folds, the exchanges and the bootstrap.

    Attributes (one entry a horizon)
    ----------
    r2_controls_, r2_full_, partial_r2_: Interval, against the training folds' mean by track.
    auroc_controls_, auroc_: Interval, or None where a class is missing; of presence, y > 0.
    p_: p-value of the partial R², or NaN without permutations.
    null_partial_r2_: [permutations, H]
    predictions_controls_, predictions_: [rows, H], out of fold, less the target's mean.

    Example
    -------
    >>> probe = NestedRidge(permutations=1000).fit(X, y, controls=Z, groups=track_of_row)
    >>> probe.partial_r2_[0].low, probe.p_[0]
    """

    def __init__(
        self,
        *,
        folds: int = 5,
        permutations: int = 1000,
        place_means: bool = True,
        seed: int = 0,
    ) -> None:
        self.folds = folds
        self.permutations = permutations
        self.place_means = place_means
        self.seed = seed

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        controls: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit to X [rows, d], y [rows] or [rows, H], controls [rows, p] and groups [rows].

        Raises ProbeError for data on which the result would have no meaning; see ``panel``.
        """
        data = panel(X, y, controls=controls, groups=groups, folds=self.folds, seed=self.seed)
        sums = Sums(data, place_means=self.place_means, gram=True)
        order = exchanges(list(map(len, data.folds)), self.permutations, seed=self.seed)
        shape = data.targets.shape
        self.predictions_controls_, self.predictions_ = np.empty(shape), np.empty(shape)
        baseline = np.empty(shape)
        gains = np.zeros((self.permutations + 1, shape[1]))
        for test in range(len(data.folds)):
            train = [fold for fold in range(len(data.folds)) if fold != test]
            B = sums.nuisance(train)
            fold, scale = _prepared(sums, B, train, test, exchanging=self.permutations > 0)
            reached, weights = _fitted(fold, order)
            gains += reached
            rows = np.flatnonzero(data.fold_of_row == test)
            left, missed = sums.residual(B, rows)
            self.predictions_controls_[rows] = sums.responses[rows, sums.d :] - missed
            self.predictions_[rows] = self.predictions_controls_[rows] + (left / scale) @ weights
            seen = data.fold_of_row != test
            baseline[rows] = sums.responses[seen, sums.d :].mean(axis=0)
        self._summarise(data, sums.responses[:, sums.d :], baseline, gains)
        return self

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        controls: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> float:
        """Partial R² of these data, cross-validated like ``fit``; the mean over horizons.

        The data are split again; nothing of an earlier fit is used.
        """
        settings = {**self.get_params(), "permutations": 0}
        fresh = type(self)(**settings).fit(X, y, controls=controls, groups=groups)
        return float(np.mean([one.mean for one in fresh.partial_r2_]))

    def _summarise(self, data: Panel, y: Array, baseline: Array, gains: Array) -> None:
        total = data.by_track((y - baseline) ** 2)
        by_controls = data.by_track((y - self.predictions_controls_) ** 2)
        by_all = data.by_track((y - self.predictions_) ** 2)
        weights = track_weights(len(data.tracks), seed=self.seed)
        horizons = range(y.shape[1])
        self.n_tracks_ = len(data.tracks)
        self.r2_controls_ = [explained(total[:, h], by_controls[:, h], weights) for h in horizons]
        self.r2_full_ = [explained(total[:, h], by_all[:, h], weights) for h in horizons]
        self.partial_r2_ = [explained(by_controls[:, h], by_all[:, h], weights) for h in horizons]
        self.auroc_controls_ = self._areas(data, self.predictions_controls_, weights)
        self.auroc_ = self._areas(data, self.predictions_, weights)
        partial = gains / by_controls.sum(axis=0)
        self.null_partial_r2_ = partial[1:]
        self.p_ = (
            p_value(partial[1:], partial[0]) if self.permutations else np.full(y.shape[1], np.nan)
        )

    @staticmethod
    def _areas(data: Panel, predictions: Array, weights: Array) -> list[Interval | None]:
        lengths = [track.stop - track.start for track in data.tracks]
        tracks = np.repeat(np.arange(len(lengths)), lengths)
        present = data.targets > 0
        return [
            auroc(predictions[:, h], present[:, h], tracks, data.fold_of_row, weights)
            for h in range(predictions.shape[1])
        ]


def _prepared(
    sums: Sums, B: Array, train: list[int], test: int, *, exchanging: bool
) -> tuple[_Fold, Array]:
    """Sums of one test fold with features scaled to unit variance in training; and the scale."""
    data = sums.panel
    grams = [sums.left_of_features(B, fold) for fold in range(len(data.folds))]
    left = np.sum([np.diag(grams[fold]) for fold in train], axis=0)
    raw = np.sum([sums.squares[fold][: sums.d] for fold in train], axis=0)
    away = explained_away(left, raw)
    if away.all():
        raise ProbeError(
            "every feature is a function of the controls",
            found=f"{len(away)} features with nothing left of them",
            fix="leave out the controls that are made of these features",
        )
    scale = np.where(away, np.inf, np.sqrt(left / sums.rows[train].sum()))
    grams = [gram / np.outer(scale, scale) for gram in grams]
    products = []
    for tracks in data.folds:
        pairs = [sums.residual(B, data.tracks[track]) for track in tracks]
        features = [X / scale for X, _ in pairs]
        targets = [Y for _, Y in pairs]
        if exchanging:
            products.append(pair_products(features, targets))
        else:
            summed = np.vstack(features).T @ np.vstack(targets)
            products.append(summed[np.newaxis, np.newaxis])
    return _Fold(train, test, grams, products, sums.rows), scale


def _fitted(fold: _Fold, order: Exchanges) -> tuple[Array, Array]:
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
        for one, held in zip(inner, fold.train, strict=True):
            losses += one.losses(whole - crosses[held], crosses[held])
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


def _eigen(fold: _Fold, train: Sequence[int], test: int) -> _Eigen:
    values, vectors = eigh(np.sum([fold.grams[g] for g in train], axis=0))
    turned = vectors.T @ fold.grams[test] @ vectors
    return _Eigen(np.maximum(values, 0), vectors, float(fold.rows[list(train)].sum()), turned)
