"""Partial effects: what each feature by itself shares with the target beyond the controls."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control
from scipy.stats import t as student
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted

from leitmotif.errors import ProbeError
from leitmotif.probe.estimators.algebra import Sums
from leitmotif.probe.estimators.conventions import Seed, as_given, features_of, seed_of, targets_of
from leitmotif.probe.estimators.decided import FirstRound, decided, first_round
from leitmotif.probe.estimators.nulls import (
    exchanged,
    exchanges,
    pair_products,
    reached,
    shifted,
    studentised,
)
from leitmotif.probe.estimators.refits import inflation
from leitmotif.probe.estimators.residuals import Residuals, residuals
from leitmotif.probe.panel.arguments import share, switch, whole_number
from leitmotif.probe.panel.curves import Curves
from leitmotif.probe.panel.panel import Array, Panel, panel

REFITS = 60
"""Exchanges to which the control model is fitted again, unless others are asked for."""
_BLOCK = 512
"""Exchanges that are summed at a time; bounds the memory."""


class PartialEffects(SelectorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Test each feature against the target with the controls removed from both, track by track.

    Both are regressed on the controls and the place in the track, cross-fitted: a track's residuals
    come from a fit to the other folds. A track's score is the sum over its rows of the product of
    the two residuals, and the statistic is Student's t of the scores: each track is one
    observation, however its rows depend on each other (the generalised covariance measure of
    Shah & Peters 2020 with tracks as units).

    Parameters
    ----------
    folds: number of folds; at least 3, with 4 tracks or more in each.
    permutations: exchanges of tracks for ``p_``; None takes as many as each feature needs to be
        decided at ``alpha`` (``leitmotif.probe.estimators.decided``).
    shifts: circular shifts for ``p_shift_``; 0 for none.
    refits: exchanges to which the control model is fitted again, for ``inflation_``; 0 for none.
    alpha: false discovery rate at which ``get_support`` chooses.
    place_means: whether each place in the track has a mean of its own in the control model.
    random_state: of the folds, the exchanges and the shifts.

    Attributes, [d], or [d, H] when y has horizons
    ----------
    effect_: partial correlation over all rows.
    low_, high_: its 95 % interval, cluster-robust by track.
    inflation_: by how much the error of the control model widens the statistic, at least 1; see
        ``leitmotif.probe.estimators.refits``. Statistics are divided by it, intervals widened.
    t_, p_t_: the statistic and its p-value by Student's t with tracks - 1 degrees of freedom.
    p_: p-value by exchanging the targets of tracks within a fold; where that was ended early since
        the feature is chosen for certain, a bound above it.
    exchanges_: how many exchanges were made.
    p_shift_: p-value by shifting each track's features within the track, each by itself; NaN
        without shifts. It needs stationarity; see docs/probes.md for what it means.
    q_: ``p_`` after Benjamini & Hochberg (1995), horizon by horizon.
    effect_by_fold_: [folds, d] or [folds, d, H].
    control_fits_: [folds, d + H], which fit of the controls was chosen for features and targets.

    A feature of which the controls leave nothing has effect 0 and p-values 1. ``fit`` raises
    ProbeError for data on which the result would have no meaning.

    Example
    -------
    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> track = np.repeat(np.arange(40), 25)        # 40 tracks of 25 rows
    >>> Z = random.normal(size=(1000, 2))           # controls
    >>> X = Z @ [[1, 0, 1], [0, 1, 1]] + random.normal(size=(1000, 3))
    >>> y = Z[:, 0] + X[:, 0] + random.normal(size=1000)
    >>> found = PartialEffects(alpha=0.05).fit(X, y, controls=Z, groups=track)
    >>> found.get_support(indices=True).tolist(), found.transform(X).shape
    ([0], (1000, 1))
    """

    def __init__(
        self,
        *,
        folds: int = 5,
        permutations: int | None = None,
        shifts: int = 1000,
        refits: int = REFITS,
        alpha: float = 0.05,
        place_means: bool = True,
        random_state: Seed = 0,
    ) -> None:
        self.folds = folds
        self.permutations = permutations
        self.shifts = shifts
        self.refits = refits
        self.alpha = alpha
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
        """Test each feature on whole tracks.

        Parameters
        ----------
        X: features [rows, d].
        y: targets [rows], or [rows, H] of several horizons.
        controls: [rows, p]; without them, place in the track is all that is controlled for.
        groups: each row's track [rows]; without them each row is a track of its own.

        Returns
        -------
        The fitted probe.

        Raises ProbeError for data on which the result would have no meaning (see ``panel``), and
        for so few permutations that no feature could pass the correction.
        """
        if self.permutations is not None:
            whole_number(self.permutations, "permutations", least=1)
        whole_number(self.shifts, "shifts")
        whole_number(self.refits, "refits")
        share(self.alpha, "alpha")
        switch(self.place_means, "place_means")
        seed = seed_of(self.random_state)
        X, y = features_of(self, X), targets_of(y)
        data = panel(X, y, controls=controls, groups=groups, folds=self.folds, seed=seed)
        self._refuse_too_few(data)
        tested = measured(
            data, place_means=self.place_means, shifts=self.shifts, refits=self.refits, seed=seed
        )
        p, made = self._exchanged(tested)
        attributes = {**tested.attributes, "p_": p, "exchanges_": made.astype(float)}
        attributes["q_"] = false_discovery_control(attributes["p_"], axis=0, method="bh")
        for name, values in attributes.items():
            setattr(self, name, as_given(values, y))
        self.n_tracks_ = len(data.tracks)
        self.control_fits_ = tested.left.choices
        return self

    def _refuse_too_few(self, data: Panel) -> None:
        """Refuse exchanges with which no feature by itself could pass the correction."""
        d = data.features.shape[1]
        needed = int(np.ceil(d / self.alpha)) - 1
        given = self.permutations
        if given is None:
            return
        if given < needed:
            raise ProbeError(
                "with so few permutations no feature could pass the correction",
                found=f"{given} permutations: no p-value below {1 / (given + 1):.2g}",
                expected=f"at least {needed}, for {d} features at a false discovery rate of "
                f"{self.alpha:g}",
                fix="use more permutations, or None for enough of them",
            )

    def _exchanged(self, tested: "FeatureStatistics") -> tuple[Array, NDArray[np.int64]]:
        """P-values and numbers of exchanges, [d, H] each."""
        horizons = range(tested.observed.shape[1])
        if self.permutations is not None:
            p = tested.exceeded(self.permutations) / (self.permutations + 1)
            p[tested.left.nothing] = 1.0
            return p, np.full(p.shape, self.permutations)
        by_horizon = [decided([tested.first_round(h)], alpha=self.alpha) for h in horizons]
        p, made = (np.stack(values, axis=1) for values in zip(*by_horizon, strict=True))
        return p, made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = tags.target_tags.multi_output = True
        return tags

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        chosen = self.q_ <= self.alpha
        return np.asarray(chosen if chosen.ndim == 1 else chosen.any(axis=1))


def effects_by_fold(
    X: ArrayLike,
    y: ArrayLike,
    *,
    controls: ArrayLike | Curves,
    groups: ArrayLike,
    folds: int,
    seed: int,
    choices: NDArray[np.int64],
) -> Array:
    """``PartialEffects.effect_by_fold_`` [folds, d] of one target, without testing anything.

    ``choices`` are ``PartialEffects.control_fits_`` of another split into folds.
    """
    data = panel(X, y, controls=controls, groups=groups, folds=folds, seed=seed)
    left = residuals(Sums(data, place_means=True, gram=False), choices=choices)
    return _by_fold(data, left)[:, :, 0]


@dataclass(frozen=True)
class FeatureStatistics:
    """Features and their statistics, before the exchanges that say what is chance."""

    data: Panel
    left: Residuals
    attributes: dict[str, Array]
    """Attributes of ``PartialEffects``, but ``p_``, ``q_`` and ``exchanges_``."""
    seed: int

    @property
    def observed(self) -> Array:
        """Sizes of the statistics, [d, H]."""
        return np.abs(self.attributes["t_"])

    def first_round(self, horizon: int = 0) -> FirstRound:
        """What the first exchanges show; ``decided`` goes on where that is not enough."""
        targets = [Y[:, [horizon]] for Y in self.left.targets]
        observed = self.observed[:, horizon]
        return first_round(self.left.features, targets, self.data.folds, observed, seed=self.seed)

    def exceeded(self, permutations: int) -> Array:
        """How many arrangements, the observed one included, give a statistic as large: [d, H]."""
        data, left = self.data, self.left
        order = exchanges(list(map(len, data.folds)), permutations, seed=self.seed)
        pairs = []
        for tracks in data.folds:
            products = pair_products(
                [left.features[track] for track in tracks],
                [left.targets[track] for track in tracks],
            )
            pairs.append((products, products**2))
        counts = np.zeros(self.observed.shape)
        for start in range(0, permutations + 1, _BLOCK):
            parts = [fold[start : start + _BLOCK] for fold in order]
            total, squares = np.zeros((2, len(parts[0]), *counts.shape))
            for (products, squared), part in zip(pairs, parts, strict=True):
                total += exchanged(products, part)
                squares += exchanged(squared, part)
            t = np.abs(studentised(total, squares, len(data.tracks)))
            counts += reached(t, self.observed).sum(axis=0)
        return counts


def measured(
    data: Panel, *, place_means: bool, shifts: int, refits: int, seed: int
) -> FeatureStatistics:
    """Effects, statistics and shifts of the features of a panel; see ``PartialEffects``."""
    sums = Sums(data, place_means=place_means, gram=False)
    left = residuals(sums)
    wider = inflation(sums, left.features, left.targets, left.choices, refits=refits, seed=seed)
    n, scores = len(data.tracks), left.products
    t = studentised(scores.sum(axis=0), (scores**2).sum(axis=0), n) / wider
    attributes = {"inflation_": wider, **_effects(data, left, wider)}
    attributes["t_"] = t
    attributes["p_t_"] = 2 * student.sf(np.abs(t), n - 1)
    attributes["p_shift_"] = _shifted(left, np.abs(t), shifts, seed)
    attributes["p_t_"][left.nothing] = 1.0
    if shifts:
        attributes["p_shift_"][left.nothing] = 1.0
    return FeatureStatistics(data, left, attributes, seed)


def _shifted(left: Residuals, observed: Array, shifts: int, seed: int) -> Array:
    if not shifts:
        return np.full(observed.shape, np.nan)
    total = np.zeros((shifts + 1, *observed.shape))
    squares = np.zeros_like(total)
    for scores in shifted(left.features, left.targets, shifts=shifts, seed=seed):
        total += scores
        squares += scores**2
    t = np.abs(studentised(total, squares, len(left.features)))
    return np.asarray(reached(t, observed).sum(axis=0) / len(t))


def _effects(data: Panel, left: Residuals, wider: Array) -> dict[str, Array]:
    n = len(data.tracks)
    q = left.squares[:, :, np.newaxis]
    target = np.stack([(Y**2).sum(axis=0) for Y in left.targets]).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.sqrt(q.sum(axis=0) * target)
        slope = left.products.sum(axis=0) / q.sum(axis=0)
        error = np.sqrt(n / (n - 1) * ((left.products - slope * q) ** 2).sum(axis=0)) / size
        effect = left.products.sum(axis=0) / size
    reach = student.ppf(0.975, n - 1) * error * wider
    effects = {
        "effect_": effect,
        "low_": effect - reach,
        "high_": effect + reach,
    }
    attributes = {name: np.nan_to_num(values) for name, values in effects.items()}
    return {**attributes, "effect_by_fold_": _by_fold(data, left)}


def _by_fold(data: Panel, left: Residuals) -> Array:
    """Partial correlations [folds, d, H]."""
    effects = []
    for fold in data.folds:
        tracks = list(fold)
        target = np.sum([(left.targets[track] ** 2).sum(axis=0) for track in tracks], axis=0)
        squares = left.squares[tracks].sum(axis=0)[:, np.newaxis]
        with np.errstate(invalid="ignore", divide="ignore"):
            effects.append(left.products[tracks].sum(axis=0) / np.sqrt(squares * target))
    return np.nan_to_num(np.stack(effects))
