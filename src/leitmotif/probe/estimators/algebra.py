"""Sums from which every fit is made: ridge on the controls, and what it leaves of the features.

The design Z holds an intercept, a mean for each place in the track, and the controls. With the
sums A = Z'Z, Z'[X Y] and X'X of every fold, no fit needs the rows again: a training set's sums are
the sums of its folds, and what is left of X after regressing it on Z by coefficients B has the Gram
matrix X'X - B'Z'X - X'Z B + B'A B (Frisch & Waugh 1933; Lovell 1963, with a penalty).

Which shape of the controls and which penalty predict best is asked of every pair of folds left out,
for both.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, eigh, solve_triangular

from leitmotif.probe.panel.curves import Shapes
from leitmotif.probe.panel.panel import Array, Panel
from leitmotif.probe.panel.remembered import Remembered

CONTROL_PENALTIES = tuple(10.0**power for power in range(-4, 3))
"""Ridge penalties for the controls, per row; which one is chosen for each response by itself."""
CURVE_PENALTIES = (0.005, 0.3)
"""The same for all shapes but the simplest: lower ones are chosen of many columns next to never."""
_FREE = 1e-6
"""Penalty of the intercept and the places, in rows: it only keeps a place without rows at 0."""
DESIGNS = 4
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
    """T [pZ, q], q the columns that the shape has; rows of columns that it lacks are 0."""
    values: Array
    """[q]"""
    weights: Array
    """[q], rows where the penalty counts, 0 for the intercept and the places."""

    def divided(self, turned: Array, penalty: float) -> Array:
        """Coefficients in these coordinates, [q, R], for T'r [q, R]."""
        return np.asarray(turned / (self.values + penalty * self.weights)[:, np.newaxis])


class Design:
    """Z of the rows of a panel and its sums by fold; what fits with the same controls share."""

    def __init__(
        self,
        controls: Array,
        places: NDArray[np.int64],
        fold_of_row: NDArray[np.int64],
        length: int,
        shapes: Shapes,
    ) -> None:
        self.Z = design(controls, places, length)
        self.free = self.Z.shape[1] - controls.shape[1]
        """The first so many columns are the intercept and the places."""
        self.shapes = [
            np.r_[np.arange(self.free), self.free + np.asarray(shape, np.int64)] for shape in shapes
        ]
        self.fits = [
            (shape, penalty)
            for shape in range(len(shapes))
            for penalty in (CURVE_PENALTIES if shape else CONTROL_PENALTIES)
        ]
        """Of which one is chosen for each response: shapes, and penalties within a shape."""
        folds = range(int(fold_of_row.max()) + 1)
        self.members = [np.flatnonzero(fold_of_row == fold) for fold in folds]
        self.rows = np.array([len(rows) for rows in self.members])
        self.ZZ = [self.Z[rows].T @ self.Z[rows] for rows in self.members]
        self._ridges: dict[tuple[frozenset[int], int], Ridge] = {}
        self._turned: dict[tuple[frozenset[int], int, int], Array] = {}

    def ridge(self, train: Collection[int], shape: int) -> Ridge:
        """Decompose the sums over the folds ``train`` of the columns of a shape."""
        key = frozenset(train), shape
        if key not in self._ridges:
            self._ridges[key] = self._decomposed(sorted(train), self.shapes[shape])
        return self._ridges[key]

    def gram(self, train: Collection[int], shape: int, fold: int) -> Array:
        """T'Z'ZT of another fold [q, q], in the coordinates of ``ridge(train, shape)``."""
        key = frozenset(train), shape, fold
        if key not in self._turned:
            turn = self.ridge(train, shape).turn
            self._turned[key] = turn.T @ self.ZZ[fold] @ turn
        return self._turned[key]

    def regressed(
        self, train: Collection[int], choice: NDArray[np.int64], ZR: Sequence[Array]
    ) -> Array:
        """Regress responses on Z over some folds: coefficients [pZ, R], 0 where a shape ends.

        ``choice`` [R] numbers one of ``fits`` for each; ``ZR`` are Z'R [pZ, R] by fold.
        """
        right = np.sum([ZR[fold] for fold in train], axis=0)
        B = np.empty_like(right)
        for number in np.unique(choice):
            chosen = choice == number
            shape, penalty = self.fits[number]
            ridge = self.ridge(train, shape)
            turned = ridge.turn.T @ right[:, chosen]
            B[:, chosen] = ridge.turn @ ridge.divided(turned, penalty)
        return B

    def _decomposed(self, train: Sequence[int], columns: NDArray[np.int64]) -> Ridge:
        A = np.sum([self.ZZ[fold] for fold in train], axis=0)[np.ix_(columns, columns)]
        free = self.free
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
        embedded = np.zeros((self.Z.shape[1], len(A)))
        embedded[columns] = turn
        return Ridge(embedded, np.r_[np.ones(free), np.maximum(values, 0)], rows * counted)


_design_of = Remembered(Design, most=DESIGNS)


class Sums:
    """Cross-products of the rows of each fold; responses are the features and then the targets."""

    def __init__(self, panel: Panel, *, place_means: bool, gram: bool) -> None:
        self.panel = panel
        self.length = panel.length if place_means else 0
        self.design = _design_of(
            panel.controls, panel.places, panel.fold_of_row, self.length, panel.shapes
        )
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

    def choice(self, train: Sequence[int]) -> NDArray[np.int64]:
        """Of ``Design.fits``, the one that predicts each response best: [d + H].

        Found by a cross-validation over the folds ``train``.
        """
        if not self.panel.controls.shape[1]:
            return np.zeros(self.responses.shape[1], np.int64)
        errors = np.sum([self._errors(train, fold) for fold in train], axis=0)
        return np.asarray(errors.argmin(axis=0))

    def nuisance(self, train: Sequence[int], choice: NDArray[np.int64] | None = None) -> Array:
        """Regress every response on Z over the folds ``train``: coefficients [pZ, d + H].

        Each response takes the fit of ``choice`` [d + H], by default that of ``choice(train)``;
        columns that its shape lacks have coefficient 0.
        """
        choice = self.choice(train) if choice is None else choice
        return self.design.regressed(train, choice, self.ZR)

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
        """Squared errors on a fold of ``train`` of all fits to its others: [fits, R]."""
        others = frozenset(train) - {held}
        if others not in self._validated:
            # Every fold that is not fitted to is asked at once: of two left out, each is once the
            # test fold and once the one that penalties are chosen on.
            right = np.sum([self.ZR[fold] for fold in sorted(others)], axis=0)
            asked = [fold for fold in range(len(self.rows)) if fold not in others]
            by_shape = [
                self._missed(others, n, right, asked) for n in range(len(self.design.shapes))
            ]
            self._validated[others] = dict(
                zip(asked, np.concatenate(by_shape, axis=1), strict=True)
            )
        return self._validated[others][held]

    def _missed(
        self, train: frozenset[int], shape: int, right: Array, asked: Sequence[int]
    ) -> Array:
        """Squared errors on some folds of the fits of one shape: [folds, penalties, R]."""
        ridge = self.design.ridge(train, shape)
        turned = ridge.turn.T @ right
        fits = [ridge.divided(turned, number) for at, number in self.design.fits if at == shape]
        missed = []
        for fold in asked:
            members = self.design.members[fold]
            q, products = ridge.turn.shape[1], len(fits) * right.shape[1]
            if len(members) * (q + products) < q * products:  # by the rows, or by their sums
                Z, R = self.Z[members] @ ridge.turn, self.responses[members]
                left = [R - Z @ W for W in fits]
                missed.append([np.einsum("nr,nr->r", errors, errors) for errors in left])
            else:
                gram = self.design.gram(train, shape, fold)
                cross = 2 * (ridge.turn.T @ self.ZR[fold])
                gained = [np.einsum("pr,pr->r", W, gram @ W - cross) for W in fits]
                missed.append(self.squares[fold] + np.stack(gained))
        return np.asarray(missed)
