"""Sums from which every fit is made: ridge on the controls, and what it leaves of the features.

The design Z holds an intercept, a mean for each place in the track, and the controls. With the
sums A = Z'Z, Z'[X Y] and X'X of every fold, no fit needs the rows again: a training set's sums are
the sums of its folds, and what is left of X after regressing it on Z by coefficients B has the Gram
matrix X'X - B'Z'X - X'Z B + B'A B (Frisch & Waugh 1933; Lovell 1963, with a penalty).

Which penalty of the controls predicts best is asked of every pair of folds left out, for both.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, eigh, solve_triangular

from leitmotif.probe.panel.panel import Array, Panel
from leitmotif.probe.panel.remembered import Remembered

CONTROL_PENALTIES = tuple(10.0**power for power in range(-4, 3))
"""Ridge penalties for the controls, per row; which one is chosen for each column by itself."""
_FREE = 1e-6
"""Penalty of the intercept and the places, in rows: it only keeps a place without rows at 0."""
_DESIGNS = 4
"""Designs that are kept, with a decomposition for each set of folds."""


def design(controls: Array, places: NDArray[np.int64], length: int) -> Array:
    """Z [rows, 1 + length + p]: intercept, a mean for each of ``length`` places, controls.

    With a mean of its own for each place in the track (row 0, row 1, …), nothing that all tracks do
    at one time is left to the features. A length of 0 or 1 is without such means.
    """
    own = np.eye(length)[places] if length > 1 else np.empty((len(controls), 0))
    return np.hstack([np.ones((len(controls), 1)), own, controls])


@dataclass(frozen=True)
class Ridge:
    """Regression on Z over some folds, in coordinates in which every penalty is a division.

    (Z'Z + penalty)^-1 r = T diag(values + penalty)^-1 T'r, where T diagonalises what the intercept
    and the places leave of the controls.
    """

    turn: Array
    """T [p, p]"""
    values: Array
    """[p]"""
    weights: Array
    """[p], rows where the penalty counts, 0 for the intercept and the places."""

    def divided(self, turned: Array, penalty: float) -> Array:
        """Coefficients in these coordinates, [p, R], for T'r [p, R]."""
        return np.asarray(turned / (self.values + penalty * self.weights)[:, np.newaxis])


class Design:
    """Z of the rows of a panel and its sums by fold; what fits with the same controls share."""

    def __init__(
        self,
        controls: Array,
        places: NDArray[np.int64],
        fold_of_row: NDArray[np.int64],
        length: int,
    ) -> None:
        self.Z = design(controls, places, length)
        self.free = self.Z.shape[1] - controls.shape[1]
        """The first so many columns are the intercept and the places."""
        folds = range(int(fold_of_row.max()) + 1)
        self.members = [np.flatnonzero(fold_of_row == fold) for fold in folds]
        self.rows = np.array([len(rows) for rows in self.members])
        self.ZZ = [self.Z[rows].T @ self.Z[rows] for rows in self.members]
        self._ridges: dict[frozenset[int], Ridge] = {}
        self._turned: dict[tuple[frozenset[int], int], Array] = {}

    def ridge(self, train: Collection[int]) -> Ridge:
        """Decompose the sums over the folds ``train``."""
        key = frozenset(train)
        if key not in self._ridges:
            self._ridges[key] = self._decomposed(sorted(key))
        return self._ridges[key]

    def gram(self, train: Collection[int], fold: int) -> Array:
        """T'Z'ZT of another fold [p, p], in the coordinates of ``ridge(train)``."""
        key = frozenset(train), fold
        if key not in self._turned:
            turn = self.ridge(train).turn
            self._turned[key] = turn.T @ self.ZZ[fold] @ turn
        return self._turned[key]

    def _decomposed(self, train: Sequence[int]) -> Ridge:
        A, free = np.sum([self.ZZ[fold] for fold in train], axis=0), self.free
        A[np.diag_indices(free)] += _FREE
        # Intercept and places have one penalty, whatever that of the controls: eliminate them.
        inverse = solve_triangular(cholesky(A[:free, :free], lower=True), np.eye(free), lower=True)
        fitted = inverse.T @ (inverse @ A[:free, free:])
        left = A[free:, free:] - A[free:, :free] @ fitted
        values, vectors = eigh(left, driver="evd") if left.size else (np.empty(0), left)
        turn = np.zeros_like(A)
        turn[:free, :free] = inverse.T
        turn[:free, free:] = -fitted @ vectors
        turn[free:, free:] = vectors
        rows = float(self.rows[list(train)].sum())
        counted = np.arange(len(A)) >= free
        return Ridge(turn, np.r_[np.ones(free), np.maximum(values, 0)], rows * counted)


_design_of = Remembered(Design, most=_DESIGNS)


class Sums:
    """Cross-products of the rows of each fold; responses are the features and then the targets."""

    def __init__(self, panel: Panel, *, place_means: bool, gram: bool) -> None:
        self.panel = panel
        self.length = panel.length if place_means else 0
        self.design = _design_of(panel.controls, panel.places, panel.fold_of_row, self.length)
        self.Z, self.rows = self.design.Z, self.design.rows
        self.responses = np.hstack([panel.features, panel.targets])
        self.means = self.responses.mean(axis=0)  # any constant will do: Z has an intercept
        self.responses -= self.means
        self.d = panel.features.shape[1]
        self.ZR, self.squares, self.XX = [], [], []
        for rows in self.design.members:
            Z, R = self.Z[rows], self.responses[rows]
            self.ZR.append(Z.T @ R)
            self.squares.append((R**2).sum(axis=0))
            if gram:
                self.XX.append(R[:, : self.d].T @ R[:, : self.d])
        self._validated: dict[frozenset[int], dict[int, Array]] = {}

    def nuisance(self, train: Sequence[int]) -> Array:
        """Regress every response on Z over the folds ``train``: coefficients [p, d + H].

        Each response takes the penalty that predicts it best in a cross-validation over those
        folds.
        """
        ridge = self.design.ridge(train)
        turned = ridge.turn.T @ np.sum([self.ZR[fold] for fold in train], axis=0)
        best = np.zeros(turned.shape[1], np.int64)
        if self.panel.controls.shape[1]:
            errors = np.sum([self._errors(train, fold) for fold in train], axis=0)
            best = errors.argmin(axis=0)
        for number in np.unique(best):
            chosen = best == number
            turned[:, chosen] = ridge.divided(turned[:, chosen], CONTROL_PENALTIES[number])
        return np.asarray(ridge.turn @ turned)

    def left_of_features(self, B: Array, fold: int) -> Array:
        """Gram matrix [d, d] of what the coefficients B [p, d + H] leave of a fold's features."""
        B = B[:, : self.d]
        cross = B.T @ self.ZR[fold][:, : self.d]
        return np.asarray(self.XX[fold] - cross - cross.T + B.T @ self.design.ZZ[fold] @ B)

    def residual(self, B: Array, rows: NDArray[np.int64] | slice) -> tuple[Array, Array]:
        """What B leaves of some rows: features [n, d] and targets [n, H]."""
        left = self.responses[rows] - self.Z[rows] @ B
        return left[:, : self.d], left[:, self.d :]

    def _errors(self, train: Sequence[int], held: int) -> Array:
        """Squared errors on a fold of ``train`` of fits to its others: [penalties, R]."""
        others = frozenset(train) - {held}
        if others not in self._validated:
            # Every fold that is not fitted to is asked at once: of two left out, each is once the
            # test fold and once the one that penalties are chosen on.
            ridge = self.design.ridge(others)
            turned = ridge.turn.T @ np.sum([self.ZR[fold] for fold in sorted(others)], axis=0)
            by_penalty = [ridge.divided(turned, penalty) for penalty in CONTROL_PENALTIES]
            self._validated[others] = {
                fold: self._missed(others, fold, by_penalty)
                for fold in range(len(self.rows))
                if fold not in others
            }
        return self._validated[others][held]

    def _missed(self, train: frozenset[int], fold: int, fits: Sequence[Array]) -> Array:
        """Squared errors on a fold of fits in the coordinates of ``ridge(train)``: [fits, R]."""
        turn, members = self.design.ridge(train).turn, self.design.members[fold]
        if len(members) < len(turn):  # fewer products by the rows than by their sums
            Z, R = self.Z[members] @ turn, self.responses[members]
            left = [R - Z @ W for W in fits]
            return np.stack([np.einsum("nr,nr->r", errors, errors) for errors in left])
        gram, cross = self.design.gram(train, fold), 2 * (turn.T @ self.ZR[fold])
        gained = [np.einsum("pr,pr->r", W, gram @ W - cross) for W in fits]
        return np.asarray(self.squares[fold] + np.stack(gained))
