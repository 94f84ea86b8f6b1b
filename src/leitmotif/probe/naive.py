"""The naive pipeline: frames pooled as if each were an observation, and nothing controlled for.

It is here to be compared with, not to be used: neighbouring frames repeat each other, so its
p-values are far too small, and position or loudness alone gives correlations.
"""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc
from scipy.stats import false_discovery_control
from sklearn.base import BaseEstimator

from leitmotif.probe.panel import matrix, refuse_constant


class NaiveCorrelation(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Pearson's correlation of each feature with the target over all rows.

    Attributes, [d]: ``r_``, ``p_`` (two-sided, rows - 2 degrees of freedom), ``q_`` (Benjamini &
    Hochberg 1995); ``r2_`` is the largest squared correlation, a number.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit to X [rows, d] and y [rows]; raises ProbeError for NaN and constants."""
        features, target = matrix(X, "features"), matrix(y, "targets")
        refuse_constant(features, "features", "leave them out")
        refuse_constant(target, "targets", "use rows with and without an event")
        features = features - features.mean(axis=0)
        target = target[:, 0] - target[:, 0].mean()
        size = np.sqrt((features**2).sum(axis=0) * (target @ target))
        self.r_ = np.clip(target @ features / size, -1, 1)
        # Student's t with n - 2 degrees of freedom, written for r itself.
        self.p_ = betainc((len(target) - 2) / 2, 0.5, 1 - self.r_**2)
        self.q_ = false_discovery_control(self.p_, method="bh")
        self.r2_ = float((self.r_**2).max())
        self.n_features_in_ = features.shape[1]
        return self

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Largest squared correlation over the features of these rows."""
        return type(self)().fit(X, y).r2_
