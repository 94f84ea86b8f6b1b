"""Sums from which every fit is made: ridge on the controls, and what it leaves of the features.

The design Z holds an intercept, a mean for each place in the track, and the controls. With the
sums A = Z'Z, Z'[X Y] and X'X of every fold, no fit needs the rows again: a training set's sums are
the sums of its folds, and what is left of X after regressing it on Z by coefficients B has the Gram
matrix X'X - B'Z'X - X'Z B + B'A B (Frisch & Waugh 1933; Lovell 1963, with a penalty).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from leitmotif.probe.panel import Array, Panel

CONTROL_PENALTIES = tuple(10.0**power for power in range(-4, 3))
"""Ridge penalties for the controls, per row; which one is chosen for each column by itself."""
_FREE = 1e-6
"""Penalty of the intercept and the places, in rows: it only keeps a place without rows at 0."""


def design(controls: Array, places: NDArray[np.int64], length: int) -> Array:
    """Z [rows, 1 + length + p]: intercept, a mean for each of ``length`` places, controls.

    With a mean of its own for each place in the track (row 0, row 1, …), nothing that all tracks do
    at one time is left to the features. A length of 0 or 1 is without such means.
    """
    own = np.eye(length)[places] if length > 1 else np.empty((len(controls), 0))
    return np.hstack([np.ones((len(controls), 1)), own, controls])


class Sums:
    """Cross-products of the rows of each fold; responses are the features and then the targets."""

    def __init__(self, panel: Panel, *, place_means: bool, gram: bool) -> None:
        self.panel = panel
        self.length = panel.length if place_means else 0
        self.Z = design(panel.controls, panel.places, self.length)
        self.penalised = np.arange(self.Z.shape[1]) >= self.Z.shape[1] - panel.controls.shape[1]
        self.responses = np.hstack([panel.features, panel.targets])
        self.means = self.responses.mean(axis=0)  # any constant will do: Z has an intercept
        self.responses -= self.means
        self.d = panel.features.shape[1]
        members = [np.flatnonzero(panel.fold_of_row == fold) for fold in range(len(panel.folds))]
        self.rows = np.array([len(rows) for rows in members])
        self.ZZ, self.ZR, self.squares, self.XX = [], [], [], []
        for rows in members:
            Z, R = self.Z[rows], self.responses[rows]
            self.ZZ.append(Z.T @ Z)
            self.ZR.append(Z.T @ R)
            self.squares.append((R**2).sum(axis=0))
            if gram:
                self.XX.append(R[:, : self.d].T @ R[:, : self.d])

    def nuisance(self, train: Sequence[int]) -> Array:
        """Regress every response on Z over the folds ``train``: coefficients [p, d + H].

        Each response takes the penalty that predicts it best in a cross-validation over those
        folds.
        """
        errors = np.stack(
            [self._validated(train, penalty) for penalty in CONTROL_PENALTIES]
            if self.penalised.any()
            else [np.zeros(self.responses.shape[1])]
        )
        best = errors.argmin(axis=0)
        B = np.empty((self.Z.shape[1], self.responses.shape[1]))
        for number in np.unique(best):
            columns = best == number
            B[:, columns] = self._solve(train, CONTROL_PENALTIES[number])[:, columns]
        return B

    def left_of_features(self, B: Array, fold: int) -> Array:
        """Gram matrix [d, d] of what the coefficients B [p, d + H] leave of a fold's features."""
        B = B[:, : self.d]
        cross = B.T @ self.ZR[fold][:, : self.d]
        return np.asarray(self.XX[fold] - cross - cross.T + B.T @ self.ZZ[fold] @ B)

    def residual(self, B: Array, rows: NDArray[np.int64] | slice) -> tuple[Array, Array]:
        """What B leaves of some rows: features [n, d] and targets [n, H]."""
        left = self.responses[rows] - self.Z[rows] @ B
        return left[:, : self.d], left[:, self.d :]

    def _validated(self, train: Sequence[int], penalty: float) -> Array:
        error = np.zeros(self.responses.shape[1])
        for fold in train:
            B = self._solve([other for other in train if other != fold], penalty)
            fitted = np.einsum("pr,pr->r", B, self.ZZ[fold] @ B - 2 * self.ZR[fold])
            error += self.squares[fold] + fitted
        return error

    def _solve(self, train: Sequence[int], penalty: float) -> Array:
        A = sum((self.ZZ[fold] for fold in train), np.zeros_like(self.ZZ[0]))
        weights = np.where(self.penalised, penalty * self.rows[list(train)].sum(), _FREE)
        A[np.diag_indices_from(A)] += weights
        right = sum((self.ZR[fold] for fold in train), np.zeros_like(self.ZR[0]))
        return np.asarray(cho_solve(cho_factor(A), right))
