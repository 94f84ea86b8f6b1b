"""The naive pipeline: frames pooled as if each were an observation, and nothing controlled for.

It is here to be compared with, not to be used: neighbouring frames repeat each other, so its
p-values are far too small, and position or loudness alone gives correlations.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc
from scipy.stats import false_discovery_control
from sklearn.base import BaseEstimator
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_is_fitted

from leitmotif.errors import ProbeError
from leitmotif.probe.estimators.conventions import features_of, targets_of
from leitmotif.probe.panel.arguments import matrix
from leitmotif.probe.panel.panel import Array, refuse_constant


class NaiveCorrelation(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Pearson's correlation of each feature with the target over all rows.

    Attributes, [d]: ``r_``, ``p_`` (two-sided, rows - 2 degrees of freedom), ``q_`` (Benjamini &
    Hochberg 1995); ``r2_`` is the largest squared correlation, a number. ``fit`` raises ProbeError
    for what cannot be correlated.

    Example
    -------
    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> X = random.normal(size=(200, 3))
    >>> y = X[:, 1] + random.normal(size=200)
    >>> naive = NaiveCorrelation().fit(X, y)
    >>> int(naive.r_.argmax()), bool(naive.q_[1] < 0.001)
    (1, True)
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Correlate each feature with the target.

        Parameters
        ----------
        X: features [rows, d].
        y: target [rows].

        Returns
        -------
        The fitted estimator.

        Raises ProbeError for NaN, for constants and for fewer than 3 rows.
        """
        target = _target(y)
        if len(target) < 3:
            raise ProbeError(
                "a correlation needs rows to spare",
                found=f"n_samples = {len(target)}",
                expected="at least 3 rows: any two lie on a line",
            )
        self.r_ = _correlations(matrix(features_of(self, X), "features"), target)
        # Student's t with n - 2 degrees of freedom, written for r itself.
        self.p_ = betainc((len(target) - 2) / 2, 0.5, 1 - self.r_**2)
        self.q_ = false_discovery_control(self.p_, method="bh")
        self.r2_ = float((self.r_**2).max())
        return self

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Square the correlation, in other rows, of the feature that correlated most in ``fit``.

        Parameters
        ----------
        X: features [rows, d].
        y: target [rows].

        Returns
        -------
        R², from 0 to 1.

        Raises ProbeError as ``fit`` does, and ValueError for other features than those fitted to.
        """
        check_is_fitted(self)
        features = matrix(features_of(self, X, fitted=True), "features")
        best = int(np.argmax(self.r_**2))
        return float(_correlations(features[:, [best]], _target(y))[0] ** 2)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _target(y: ArrayLike) -> Array:
    return matrix(column_or_1d(targets_of(y), warn=True), "targets")[:, 0]


def _correlations(features: Array, target: Array) -> Array:
    """[d], of features [rows, d] with a target [rows]; raises ProbeError for constants."""
    if len(features) != len(target):
        raise ProbeError(
            "features and targets must have the same rows",
            found=f"{len(features)} and {len(target)}",
        )
    refuse_constant(features, "features", "leave them out")
    refuse_constant(target[:, np.newaxis], "targets", "use rows with and without an event")
    features, target = features - features.mean(axis=0), target - target.mean()
    size = np.sqrt((features**2).sum(axis=0) * (target @ target))
    return np.asarray(np.clip(target @ features / size, -1, 1))
