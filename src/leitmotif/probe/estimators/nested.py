"""Nested ridge: what the features add to the controls on tracks that neither model has seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from leitmotif.errors import ProbeError, counted
from leitmotif.intervals import Interval, track_weights
from leitmotif.probe.estimators.algebra import Sums, design
from leitmotif.probe.estimators.conventions import (
    ControlColumns,
    Seed,
    as_given,
    features_of,
    seed_of,
    targets_of,
)
from leitmotif.probe.estimators.exchange_fits import FitGains, Solver, fitted, prepared
from leitmotif.probe.estimators.intervals import auroc, explained
from leitmotif.probe.estimators.nulls import exchanges, p_value
from leitmotif.probe.estimators.refits import calibrated, of_folds, refit_gains
from leitmotif.probe.panel.arguments import matrix, switch, whole_number
from leitmotif.probe.panel.curves import Curves
from leitmotif.probe.panel.panel import (
    Array,
    Panel,
    panel,
    places,
    refuse_nothing_left,
    track_slices,
)


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
    refits: how many of them the control model is fitted to again; see ``p_``.
    place_means: whether each place in the track has a mean of its own in the control model.
    random_state: of the folds, the exchanges and the bootstrap.

    Attributes (one entry a horizon)
    ----------
    r2_controls_, r2_full_, partial_r2_: Interval, against the training folds' mean by track.
    auroc_controls_, auroc_: Interval, or None where a class is missing; of presence, y > 0.
    t_: gain over the controls by track, as Student's t: mean over standard error.
    p_: p-value of ``t_``, or NaN without permutations. The spread that the error of the control
        model adds is measured by ``refits`` and taken off; see ``refits.calibrated``.
    null_partial_r2_: [permutations, H]
    predictions_controls_, predictions_: [rows, H], out of fold, less the target's mean.
    coef_: [d, H], weights of the features in ``predict``: the mean of the folds' fits.

    ``fit`` raises ProbeError for data on which the result would have no meaning.

    All attributes judge tracks of the data fitted to, out of fold. ``predict`` and ``score`` are
    for other tracks; fitted to half of a corpus, the probe is tried on the other half by them.

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
        refits: int = 60,
        place_means: bool = True,
        random_state: Seed = 0,
    ) -> None:
        self.folds = folds
        self.permutations = permutations
        self.refits = refits
        self.place_means = place_means
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        controls: ArrayLike | Curves | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit to whole tracks.

        Parameters
        ----------
        X: features [rows, d].
        y: targets [rows], or [rows, H] of several horizons.
        controls: [rows, p]; without them, place in the track is all that is controlled for.
        groups: each row's track [rows]; without them each row is a track of its own.

        Returns
        -------
        The fitted probe.

        Raises ProbeError for data on which the result would have no meaning; see ``panel``.
        """
        whole_number(self.permutations, "permutations")
        whole_number(self.refits, "refits")
        switch(self.place_means, "place_means")
        seed = seed_of(self.random_state)
        X, y = features_of(self, X), targets_of(y)
        data = panel(X, y, controls=controls, groups=groups, folds=self.folds, seed=seed)
        sums = Sums(data, place_means=self.place_means, gram=True)
        order = exchanges(list(map(len, data.folds)), self.permutations, seed=seed)
        shape = data.targets.shape
        self.predictions_controls_, self.predictions_ = np.empty(shape), np.empty(shape)
        gains, again = [], []
        models = []
        refits = min(self.refits, self.permutations)
        for test in range(len(data.folds)):
            train = [fold for fold in range(len(data.folds)) if fold != test]
            choice = sums.choice(train)
            B = sums.nuisance(train, choice)
            fold, scale = prepared(sums, B, train, test, exchanging=self.permutations > 0)
            solver = Solver(fold)
            reached, weights = fitted(solver, order)
            gains.append(reached)
            if refits:
                again.append(refit_gains(sums, solver, choice, refits=refits, seed=seed))
            models.append((B, weights / scale[:, np.newaxis]))
            rows = np.flatnonzero(data.fold_of_row == test)
            self.predictions_controls_[rows] = sums.responses[rows, sums.d :] - fold.targets[rows]
            added = fold.features[rows] @ weights
            self.predictions_[rows] = self.predictions_controls_[rows] + added
        self._summarise(sums, seed)
        self._test(data, gains, again)
        self._keep(sums, models)
        self.coef_ = as_given(self._full.features, y)
        self._as_given = y.ndim > 1
        self._columns = None if controls is None else ControlColumns().fit(controls)
        return self

    def predict(
        self,
        X: ArrayLike,
        *,
        controls: ArrayLike | Curves | None = None,
        groups: ArrayLike | None = None,
    ) -> Array:
        """Predict the target of other tracks, by the mean of the folds' models.

        Parameters
        ----------
        X, controls, groups: as for ``fit``, of other tracks.

        Returns
        -------
        Predictions [rows], or [rows, H] if y was so in ``fit``.

        Raises ValueError for other features or controls than those fitted to, by number, name and
        order, and ProbeError for NaN and for tracks longer than all of those.
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
        controls: ArrayLike | Curves | None = None,
        groups: ArrayLike | None = None,
    ) -> float:
        """Measure the partial R² on other tracks.

        It is the share of what the controls leave of the target that the features explain.

        Parameters
        ----------
        X, y, controls, groups: as for ``fit``, of other tracks.

        Returns
        -------
        Partial R², the mean over horizons.

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

    def _design(
        self, X: Array, controls: ArrayLike | Curves | None, groups: ArrayLike | None
    ) -> Array:
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
                found=counted(at.max() + 1, "row"),
                expected=f"at most {self._length}, as each place has a mean of its own",
                fix="leave out its last rows, or fit with place_means=False",
            )
        return design((Z - self._centre) / self._scale, at, self._length)

    def _test(self, data: Panel, gains: Sequence[FitGains], again: Sequence[FitGains]) -> None:
        """Set the p-value, and what it is made of."""
        H, n = data.targets.shape[1], len(data.tracks)
        if not self.permutations:
            self.null_partial_r2_ = np.zeros((0, H))
            self.t_ = self.p_ = np.full(H, np.nan)
            return
        left = data.targets - data.targets.mean(axis=0) - self.predictions_controls_
        partial = np.sum([part.total for part in gains], axis=0) / (left**2).sum(axis=0)
        self.null_partial_r2_ = partial[1:]
        t = of_folds(gains, n)
        self.t_ = t[0]
        observed = calibrated(t[0], t[1:], of_folds(again, n)) if again else t[0]
        self.p_ = p_value(t[1:], observed)

    def _summarise(self, sums: Sums, seed: int) -> None:
        data, y = sums.panel, sums.responses[:, sums.d :]
        total = data.by_track((y - _means_of_other_folds(sums)) ** 2)
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


def _means_of_other_folds(sums: Sums) -> Array:
    """What each row's target is expected to be without controls [rows, H]."""
    fold_of_row = sums.panel.fold_of_row
    means = np.empty(sums.panel.targets.shape)
    for test in range(len(sums.panel.folds)):
        seen = fold_of_row != test
        means[~seen] = sums.responses[seen, sums.d :].mean(axis=0)
    return means
