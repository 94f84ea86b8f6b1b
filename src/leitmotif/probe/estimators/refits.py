"""What the error of the control model adds to the spread of a statistic.

The control models of feature and target are wrong by noise in their weights. Both errors are
functions of the same controls, so their product over the tracks of a fold has a mean of its own,
which is as large as the statistic's error where there are many columns and few independent rows.
An exchange of residuals does not know of it: the feature's error then meets the error of a target
whose controls are another track's.

So some exchanges are carried through to the end (Freedman & Lane 1983): the target that the
controls predict plus the exchanged residual is a target without a link, and the control model is
fitted to it again. By how much the statistic spreads more than without that fit is the inflation.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leitmotif.probe.estimators.algebra import Sums
from leitmotif.probe.estimators.exchange_fits import FitGains, Solver, fitted_again
from leitmotif.probe.estimators.nulls import exchanges, studentised
from leitmotif.probe.panel.panel import Array, Panel


def inflation(
    sums: Sums,
    features: Sequence[Array],
    targets: Sequence[Array],
    choices: NDArray[np.int64],
    *,
    refits: int,
    seed: int,
) -> Array:
    """Spread of the studentised score with the controls fitted again over that without: [d, H].

    At least 1, and 1 for 0 ``refits``.

    Parameters
    ----------
    sums : of the panel.
    features, targets : what the controls leave, by track: [T, d] and [T, H] each.
    choices : fits of the control models by fold, [folds, d + H].
    refits, seed : number of exchanges, and of their draw.
    """
    data, d = sums.panel, sums.d
    H = data.targets.shape[1]
    if not refits or not data.controls.shape[1]:
        return np.ones((d, H))
    moved = exchanged_targets(data, targets, refits, seed=seed)
    explained = sums.responses[:, d:] - np.vstack(targets)
    again = _left(sums, np.tile(explained, refits) + moved, np.tile(choices[:, d:], refits))
    plain, full = (
        _spread(data, features, values).reshape(d, refits, H) for values in (moved, again)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.sqrt((full**2).mean(axis=1) / (plain**2).mean(axis=1))
    return np.asarray(np.maximum(np.nan_to_num(ratio, nan=1.0, posinf=1.0), 1.0))


def exchanged_targets(data: Panel, targets: Sequence[Array], count: int, *, seed: int) -> Array:
    """Residuals [T, H] of tracks exchanged within folds, place by place: [rows, count * H].

    Places that the other track lacks hold 0.
    """
    order = exchanges(list(map(len, data.folds)), count, seed=seed)
    moved = np.zeros((len(data.targets), count, data.targets.shape[1]))
    for tracks, whose in zip(data.folds, order, strict=True):
        for number, track in enumerate(tracks):
            start = data.tracks[track].start
            for draw, other in enumerate(whose[1:, number]):
                values = targets[tracks[other]][: len(targets[track])]
                moved[start : start + len(values), draw] = values
    return moved.reshape(len(moved), -1)


def refit_gains(
    sums: Sums,
    solver: Solver,
    choice: NDArray[np.int64],
    *,
    refits: int,
    seed: int,
) -> FitGains:
    """Gains of the nested ridge on exchanged targets, the control model fitted to each of them.

    Parameters
    ----------
    sums, solver, choice : of the panel, of the test fold, and of its control model.
    refits, seed : number of exchanges, and of their draw.
    """
    data, H = sums.panel, sums.panel.targets.shape[1]
    left = solver.fold.targets
    residuals = [left[track] for track in data.tracks]
    moved = np.tile(sums.responses[:, sums.d :] - left, refits)
    moved += exchanged_targets(data, residuals, refits, seed=seed)
    ZR = [sums.design.Z[rows].T @ moved[rows] for rows in sums.design.members]
    moved -= sums.Z @ sums.design.regressed(
        solver.fold.train, np.tile(choice[sums.d :], refits), ZR
    )
    return fitted_again(solver, moved, H=H)


def of_folds(gains: Sequence[FitGains], tracks: int) -> Array:
    """Student's t of the gains by track over all test folds: [fits, H]."""
    total = np.sum([part.total for part in gains], axis=0)
    return studentised(total, np.sum([part.squares for part in gains], axis=0), tracks)


def calibrated(observed: Array, null: Array, again: Array) -> Array:
    """A statistic [H] on the scale of exchanges [P, H] whose control model is not fitted again.

    ``again`` [R, H] are the first R of them with that fit. The statistic keeps its distance from
    their mean in units of their spread; it is never made larger.
    """
    plain = null[: len(again)]
    spread = plain.std(axis=0) / again.std(axis=0)
    return np.minimum(observed, plain.mean(axis=0) + (observed - again.mean(axis=0)) * spread)


def _left(sums: Sums, targets: Array, choices: NDArray[np.int64]) -> Array:
    """What control models fitted to the other folds leave of targets [rows, Q]."""
    design, left = sums.design, targets.copy()
    ZR = [design.Z[rows].T @ targets[rows] for rows in design.members]
    for fold, rows in enumerate(design.members):
        train = [other for other in range(len(ZR)) if other != fold]
        left[rows] -= design.Z[rows] @ design.regressed(train, choices[fold], ZR)
    return left


def _spread(data: Panel, features: Sequence[Array], targets: Array) -> Array:
    """Studentised scores of residuals of features, by track, and targets [rows, Q]: [d, Q]."""
    total, squares = np.zeros((2, features[0].shape[1], targets.shape[1]))
    for track, X in zip(data.tracks, features, strict=True):
        score = X.T @ targets[track]
        total += score
        squares += score**2
    return studentised(total, squares, len(data.tracks))
