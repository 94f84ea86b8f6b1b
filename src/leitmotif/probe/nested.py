"""Nested ridge: what the features add to the controls on tracks that neither model has seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from leitmotif.errors import ProbeError
from leitmotif.intervals import Interval, track_weights
from leitmotif.probe.algebra import Sums, design
from leitmotif.probe.arguments import matrix, switch, whole_number
from leitmotif.probe.conventions import (
    ControlColumns,
    Seed,
    as_given,
    features_of,
    seed_of,
    targets_of,
)
from leitmotif.probe.intervals import auroc, explained
from leitmotif.probe.nulls import Exchanges, exchanged, exchanges, p_value, pair_products
from leitmotif.probe.panel import (
    Array,
    Panel,
    explained_away,
    panel,
    places,
    refuse_nothing_left,
    track_slices,
)

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


class NestedRidge(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
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
    random_state: of the folds, the exchanges and the bootstrap.

    Attributes (one entry a horizon)
    ----------
    r2_controls_, r2_full_, partial_r2_: Interval, against the training folds' mean by track.
    auroc_controls_, auroc_: Interval, or None where a class is missing; of presence, y > 0.
    p_: p-value of the partial R², or NaN without permutations.
    null_partial_r2_: [permutations, H]
    predictions_controls_, predictions_: [rows, H], out of fold, less the target's mean.
    coef_: [d, H], weights of the features in ``predict``: the mean of the folds' fits.

    All these judge tracks of the data fitted to, out of fold. ``predict`` and ``score`` are for
    other tracks; fitted to half of a corpus, the probe is tried on the other half by them.

    Example
    -------
    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> track = np.repeat(np.arange(40), 25)        # 40 tracks of 25 rows
    >>> Z = random.normal(size=(1000, 2))           # controls
    >>> X = Z @ [[1, 0, 1], [0, 1, 1]] + random.normal(size=(1000, 3))
    >>> y = Z[:, 0] + X[:, 0] + random.normal(size=1000)
    >>> probe = NestedRidge(permutations=99).fit(X, y, controls=Z, groups=track)
    >>> probe.partial_r2_[0].low > 0, float(probe.p_[0])
    (True, 0.01)
    """

    def __init__(
        self,
        *,
        folds: int = 5,
        permutations: int = 1000,
        place_means: bool = True,
        random_state: Seed = 0,
    ) -> None:
        self.folds = folds
        self.permutations = permutations
        self.place_means = place_means
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        controls: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit to X [rows, d], y [rows] or [rows, H], controls [rows, p] and groups [rows].

        ``groups`` name each row's track; without them each row is a track of its own. Without
        controls, place in the track is all that is controlled for. Raises ProbeError for data on
        which the result would have no meaning; see ``panel``.
        """
        whole_number(self.permutations, "permutations")
        switch(self.place_means, "place_means")
        seed = seed_of(self.random_state)
        X, y = features_of(self, X), targets_of(y)
        data = panel(X, y, controls=controls, groups=groups, folds=self.folds, seed=seed)
        sums = Sums(data, place_means=self.place_means, gram=True)
        order = exchanges(list(map(len, data.folds)), self.permutations, seed=seed)
        shape = data.targets.shape
        self.predictions_controls_, self.predictions_ = np.empty(shape), np.empty(shape)
        baseline = np.empty(shape)
        gains = np.zeros((self.permutations + 1, shape[1]))
        models = []
        for test in range(len(data.folds)):
            train = [fold for fold in range(len(data.folds)) if fold != test]
            B = sums.nuisance(train)
            fold, scale = _prepared(sums, B, train, test, exchanging=self.permutations > 0)
            reached, weights = _fitted(fold, order)
            gains += reached
            models.append((B, weights / scale[:, np.newaxis]))
            rows = np.flatnonzero(data.fold_of_row == test)
            left, missed = sums.residual(B, rows)
            self.predictions_controls_[rows] = sums.responses[rows, sums.d :] - missed
            self.predictions_[rows] = self.predictions_controls_[rows] + (left / scale) @ weights
            seen = data.fold_of_row != test
            baseline[rows] = sums.responses[seen, sums.d :].mean(axis=0)
        self._summarise(data, sums.responses[:, sums.d :], baseline, gains, seed)
        self._keep(sums, models)
        self.coef_ = as_given(self._full.features, y)
        self._as_given = y.ndim > 1
        self._columns = None if controls is None else ControlColumns().fit(controls)
        return self

    def predict(
        self, X: ArrayLike, *, controls: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Array:
        """Predict the target of other tracks: [rows], or [rows, H] as y was given.

        By the mean of the folds' models. Raises ValueError for other features or controls than
        those fitted to, by number, name and order, and ProbeError for NaN and for tracks longer
        than all of those.
        """
        check_is_fitted(self)
        X = features_of(self, X, fitted=True)
        predicted = self._full(matrix(X, "features"), self._design(X, controls, groups))
        return predicted if self._as_given else predicted[:, 0]

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        controls: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> float:
        """Partial R² on other tracks than those fitted to; the mean over horizons.

        The share of what the controls leave of these rows' target that the features explain.
        Raises what ``predict`` does, and ProbeError for targets of another shape and for targets of
        which the controls leave nothing.
        """
        check_is_fitted(self)
        X = matrix(features_of(self, X, fitted=True), "features")
        Z = self._design(X, controls, groups)
        Y = matrix(targets_of(y), "targets")
        wanted = (len(X), self._full.features.shape[1])
        if Y.shape != wanted:
            raise ProbeError(
                "targets must have the rows of the features and the horizons fitted to",
                found=f"shape {Y.shape}",
                expected=f"[{wanted[0]}, {wanted[1]}]",
            )
        by_all = ((Y - self._full(X, Z)) ** 2).sum(axis=0)
        by_controls = ((Y - self._nested(X, Z)) ** 2).sum(axis=0)
        refuse_nothing_left(by_controls, (Y**2).sum(axis=0))
        return float(np.mean(1 - by_all / by_controls))

    def _keep(self, sums: Sums, models: Sequence[tuple[Array, Array]]) -> None:
        """Average the folds' models, each B [pZ, d + H] and weights [d, H]; linear as they are."""
        data, d = sums.panel, sums.d
        self._centre, self._scale, self._length = data.centre, data.scale, sums.length
        weights = np.mean([W for _, W in models], axis=0)
        by_controls = np.mean([B[:, d:] for B, _ in models], axis=0)
        # Xw less its own prediction by the controls is what the features add.
        taken = np.mean([B[:, :d] @ W for B, W in models], axis=0)
        centre, mean = sums.means[:d], sums.means[d:]
        self._nested = _Linear(np.zeros_like(weights), by_controls, mean)
        self._full = _Linear(weights, by_controls - taken, mean - centre @ weights)

    def _design(self, X: Array, controls: ArrayLike | None, groups: ArrayLike | None) -> Array:
        rows = len(X)
        Z = np.zeros((rows, 0)) if controls is None else matrix(controls, "controls")
        if Z.shape != (rows, len(self._centre)):
            raise ProbeError(
                "controls must be those that the probe was fitted with",
                found=f"shape {Z.shape}",
                expected=f"[{rows}, {len(self._centre)}]",
            )
        if controls is not None and self._columns is not None:
            self._columns.check(controls)
        at = places(track_slices(np.arange(rows) if groups is None else groups, rows=rows))
        if self._length > 1 and at.max() >= self._length:
            raise ProbeError(
                "a track is longer than any that the probe was fitted to",
                found=f"{at.max() + 1} rows",
                expected=f"at most {self._length}, as each place has a mean of its own",
                fix="leave out its last rows, or fit with place_means=False",
            )
        return design((Z - self._centre) / self._scale, at, self._length)

    def _summarise(self, data: Panel, y: Array, baseline: Array, gains: Array, seed: int) -> None:
        total = data.by_track((y - baseline) ** 2)
        by_controls = data.by_track((y - self.predictions_controls_) ** 2)
        by_all = data.by_track((y - self.predictions_) ** 2)
        refuse_nothing_left(by_controls.sum(axis=0), total.sum(axis=0))
        weights = track_weights(len(data.tracks), seed=seed)
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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @staticmethod
    def _areas(data: Panel, predictions: Array, weights: Array) -> list[Interval | None]:
        lengths = [track.stop - track.start for track in data.tracks]
        tracks = np.repeat(np.arange(len(lengths)), lengths)
        present = data.targets > 0
        return [
            auroc(predictions[:, h], present[:, h], tracks, data.fold_of_row, weights)
            for h in range(predictions.shape[1])
        ]


@dataclass(frozen=True)
class _Linear:
    """A linear model of features [rows, d] and design [rows, pZ]: [rows, H]."""

    features: Array
    controls: Array
    intercept: Array

    def __call__(self, X: Array, Z: Array) -> Array:
        return np.asarray(X @ self.features + Z @ self.controls + self.intercept)


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
    scale = np.where(away, np.inf, np.sqrt(np.maximum(left, 0) / sums.rows[train].sum()))
    grams = [gram / np.outer(scale, scale) for gram in grams]
    X, Y = sums.residual(B, slice(None))
    X /= scale
    products = []
    for fold, tracks in enumerate(data.folds):
        if exchanging:
            rows = [data.tracks[track] for track in tracks]
            products.append(pair_products([X[one] for one in rows], [Y[one] for one in rows]))
        else:
            inside = sums.design.members[fold]
            products.append((X[inside].T @ Y[inside])[np.newaxis, np.newaxis])
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
