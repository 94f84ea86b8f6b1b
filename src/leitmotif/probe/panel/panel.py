"""Rows grouped by track: what is checked before any statistic, and the folds that hold tracks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leitmotif.errors import ProbeError, counted
from leitmotif.probe.panel.arguments import (
    columns_of,
    refuse_not_finite,
    table,
    track_names,
    whole_number,
)
from leitmotif.probe.panel.curves import Curves, Shapes, shapes_of
from leitmotif.probe.panel.remembered import Remembered

Array = NDArray[np.float64]

TRACKS_PER_FOLD = 4
"""Fewest tracks in a fold: within folds of 4 there are 24 ways each to exchange targets."""
_KNOWN = 1e-7
"""Share of a target below which what is left of it is what the smallest penalty keeps back: 1e-8 of
the part that the controls know."""
_EXPLAINED = 1e-8
"""Share of a column's variance below which what is left of it is rounding."""


@dataclass(frozen=True)
class Panel:
    """Features, targets and controls of the same rows, each track's rows in order and together."""

    features: Array
    """[rows, d]"""
    targets: Array
    """[rows, H], one column a horizon"""
    controls: Array
    """[rows, p], less ``centre`` and divided by ``scale``; p may be 0"""
    centre: Array
    scale: Array
    """[p] each"""
    tracks: tuple[slice, ...]
    """The rows of each track."""
    places: NDArray[np.int64]
    """[rows], the place of each row in its track: 0, 1, 2, …"""
    folds: tuple[tuple[int, ...], ...]
    """Numbers of the tracks in each fold."""
    shapes: Shapes
    """Sets of columns of the controls; which one is used is chosen for each response."""

    @property
    def length(self) -> int:
        """Rows of the longest track."""
        return max(track.stop - track.start for track in self.tracks)

    @cached_property
    def fold_of_row(self) -> NDArray[np.int64]:
        """[rows], the fold that holds each row."""
        numbers = np.empty(len(self.targets), np.int64)
        for fold, tracks in enumerate(self.folds):
            for track in tracks:
                numbers[self.tracks[track]] = fold
        return numbers

    def by_track(self, values: Array) -> Array:
        """Sum rows by track: [rows, ...] -> [tracks, ...]."""
        return np.add.reduceat(values, [track.start for track in self.tracks], axis=0)


def panel(
    features: ArrayLike,
    targets: ArrayLike,
    *,
    controls: ArrayLike | Curves | None,
    groups: ArrayLike | None,
    folds: int,
    seed: int,
) -> Panel:
    """Check the arrays and put the tracks into folds at random.

    Raises ProbeError for NaN, a constant feature or target, collinear controls, rows of one track
    that are not together, fewer than ``folds`` × 4 tracks, and a target that is constant where two
    folds are left out.
    """
    X, Y = table(features, "features"), table(targets, "targets")
    Z = np.zeros((len(X), 0)) if controls is None else table(controls, "controls")
    if not len(X) == len(Y) == len(Z):
        raise ProbeError(
            "features, targets and controls must have the same rows",
            found=f"{len(X)}, {len(Y)} and {len(Z)}",
        )
    names = np.arange(len(X)) if groups is None else track_names(groups, rows=len(X))
    refuse_not_finite(X, "features", columns=columns_of(features), groups=names)
    refuse_not_finite(Y, "targets", columns=columns_of(targets), groups=names)
    refuse_not_finite(Z, "controls", columns=columns_of(controls), groups=names)
    tracks = track_slices(names, rows=len(X))
    refuse_constant(
        X, "features", "leave them out; leitmotif.probe.panel.panel.constant_columns finds them"
    )
    refuse_constant(Y, "targets", "no event, or an event at every row, can be told from nothing")
    scaled, centre, scale = _scaled(Z, not isinstance(controls, Curves))
    made = Panel(
        features=X,
        targets=Y,
        controls=scaled,
        centre=centre,
        scale=scale,
        tracks=tracks,
        places=places(tracks),
        folds=track_folds(len(tracks), folds, seed=seed),
        shapes=shapes_of(controls, columns=Z.shape[1]),
    )
    refuse_one_class(made)
    return made


def _checked_and_scaled(controls: Array, is_given: bool) -> tuple[Array, Array, Array]:
    if is_given:  # curves are made without collinear columns
        refuse_collinear(controls)
    centre, scale = centre_and_scale(controls)
    return (controls - centre) / scale, centre, scale


_scaled = Remembered(_checked_and_scaled, most=4)


def track_slices(groups: ArrayLike, *, rows: int) -> tuple[slice, ...]:
    """Find each track's rows, which must be together and in order of time; raises ProbeError."""
    names = track_names(groups, rows=rows)
    starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]])
    seen, counts = np.unique(names[starts], return_counts=True)
    if (counts > 1).any():
        raise ProbeError(
            "a track's rows are not together",
            found=f"{str(seen[counts > 1][0])!r} in {counts.max()} pieces",
            fix="sort the rows by track, and within a track by time",
        )
    return tuple(
        slice(int(start), int(stop))
        for start, stop in zip(starts, np.r_[starts[1:], rows], strict=True)
    )


def places(tracks: Sequence[slice]) -> NDArray[np.int64]:
    """[rows], the place of each row in its track."""
    return np.concatenate([np.arange(track.stop - track.start) for track in tracks])


def track_folds(tracks: int, folds: int, *, seed: int) -> tuple[tuple[int, ...], ...]:
    """Deal ``tracks`` into folds of equal size, give or take one; raises ProbeError for too few."""
    if whole_number(folds, "folds") < 3:
        raise ProbeError(
            "penalties are chosen on folds within the training folds",
            found=counted(folds, "fold"),
            expected="at least 3",
        )
    if tracks < folds * TRACKS_PER_FOLD:
        raise ProbeError(
            "too few tracks for folds that hold whole tracks",
            found=f"{counted(tracks, 'track')} for {counted(folds, 'fold')}",
            expected=f"at least {folds * TRACKS_PER_FOLD}: {TRACKS_PER_FOLD} in a fold",
            fix="use more tracks or fewer folds",
        )
    order = np.random.default_rng(seed).permutation(tracks)
    return tuple(tuple(sorted(map(int, part))) for part in np.array_split(order, folds))


def constant_columns(values: Array) -> NDArray[np.int64]:
    """Columns of [rows, columns] that hold one value, up to rounding."""
    with np.errstate(invalid="ignore"):
        spread = np.ptp(values, axis=0)
    most = np.abs(values).max(axis=0, initial=0)
    # The square of a spread below 1e-100 is 0. Infinity is no constant; ``matrix`` refuses it.
    return np.flatnonzero(((spread <= 1e-12 * most) | (spread < 1e-100)) & np.isfinite(most))


def refuse_constant(values: Array, name: str, fix: str) -> None:
    """Raise ProbeError if a column of [rows, columns] holds one value only."""
    constant = constant_columns(values)
    if len(constant):
        raise ProbeError(
            f"constant {name}",
            found=f"{len(constant)} of {values.shape[1]} columns: {_some(constant)}",
            expected="columns that take at least two values",
            fix=fix,
        )


def redundant_columns(values: Array) -> NDArray[np.int64]:
    """Columns of [rows, columns] that are linear functions of the others.

    Found by a QR decomposition with pivoting of the centred, scaled columns; a constant column
    counts, since every model has an intercept.
    """
    if not values.shape[1]:
        return np.empty(0, np.int64)
    centred = values - values.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    return dependent_columns(centred / np.where(norms > 0, norms, 1))


def dependent_columns(scaled: Array) -> NDArray[np.int64]:
    """Columns, of length 1 each, that are linear functions of the others."""
    from scipy.linalg import qr  # here: `leitmotif status` needs panels, and none of scipy

    diagonal, pivots = qr(scaled, mode="r", pivoting=True)
    sizes = np.zeros(scaled.shape[1])
    count = min(diagonal.shape)
    sizes[:count] = np.abs(np.diag(diagonal))
    return np.asarray(np.sort(pivots[sizes < 1e-7]), np.int64)


def refuse_one_class(panel: Panel) -> None:
    """Raise ProbeError if a target does not vary in the rows that a fit is made to.

    A test fold is left out of every fit, and another to choose penalties by.
    """
    folds = range(len(panel.folds))
    rows = [panel.fold_of_row == fold for fold in folds]
    least = np.array([panel.targets[inside].min(axis=0) for inside in rows])
    most = np.array([panel.targets[inside].max(axis=0) for inside in rows])
    for horizon in range(panel.targets.shape[1]):
        for pair in combinations(folds, 2):
            kept = [fold for fold in folds if fold not in pair]
            value = least[kept, horizon].min()
            if value < most[kept, horizon].max():
                continue
            column = panel.targets[:, horizon]
            differing = sum(bool((column[track] != value).any()) for track in panel.tracks)
            raise ProbeError(
                "one class only where two folds are left out: one to test, one to choose penalties",
                found=f"targets other than {value:g} in {differing} of {len(panel.tracks)} tracks, "
                f"all in two folds (column {horizon})",
                expected="such tracks in at least 3 folds",
                fix="use a horizon at which more tracks differ, or more tracks",
            )


def refuse_collinear(controls: Array, names: Sequence[str] | None = None) -> None:
    """Raise ProbeError if a control is a linear function of the others, naming it."""
    redundant = redundant_columns(controls)
    if len(redundant):
        labels = [names[column] if names else str(column) for column in redundant]
        raise ProbeError(
            "collinear controls",
            found=f"{len(redundant)} of {controls.shape[1]} columns follow from the others: "
            + _some(labels),
            expected="controls of which none is a linear function of the others",
            fix="leave them out: they say nothing that the others do not",
        )


def centre_and_scale(values: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each column, 1 in place of 0: penalties then weigh alike."""
    spread = values.std(axis=0)
    return values.mean(axis=0), np.where(spread > 0, spread, 1)


def explained_away(residual: Array, raw: Array) -> NDArray[np.bool_]:
    """Tell, from variances [d], which features are functions of the controls up to rounding."""
    return np.asarray(residual <= _EXPLAINED * raw)


def refuse_nothing_left(residual: Array, raw: Array) -> None:
    """Raise ProbeError if the controls leave nothing of a target, from its sums of squares [H]."""
    away = np.flatnonzero(residual <= _KNOWN * raw)
    if len(away):
        raise ProbeError(
            "the target is a function of the controls",
            found=f"nothing left of column {away[0]}",
            expected="a target of which the controls leave a part that features could explain",
            fix="leave out the controls that are made of the target",
        )


def _some(items: Sequence[Any] | NDArray[Any]) -> str:
    shown = ", ".join(str(item) for item in items[:8])
    return shown + (", …" if len(items) > 8 else "")
