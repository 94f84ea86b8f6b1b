"""A feature's activity around the onset of a recurrence, and at the same places elsewhere.

This is an event-triggered average, as used for spikes in neuroscience. In composed music
recurrences begin at the same places in every piece, so a feature that follows the clock would look
like foresight. Therefore each row before an onset is compared with the mean of rows at the same
step of contexts in which no recurrence begins that far ahead. If every context has a recurrence
there, nothing is compared. Tracks are the units: the band is the 95 % interval of the difference of
two means over tracks (Welch's standard errors, normal), for one lag at a time, not for the whole
curve.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from leitmotif.probe.inputs.targets import within
from leitmotif.report.features.listening import ListenedContext, Track

Array = NDArray[np.float64]

BIN_SECONDS = 0.25
AFTER_SECONDS = 1.0
"""Length of the curve after an onset."""
NAMED = 0.1
"""Minimum size of a difference that the page mentions, as a share of the curve's largest mean."""
_NORMAL = 1.959964
"""97.5 % point of the normal distribution."""


@dataclass(frozen=True)
class Around:
    """Activity of one feature by seconds to an onset; NaN if no comparison is possible."""

    seconds: Array
    """[lags], middle of each bin in seconds from now to the onset; negative after the onset."""
    before: Array
    """[lags], mean activity of rows with an onset at that lag."""
    elsewhere: Array
    """[lags], mean activity at the same places of contexts without an onset at that lag."""
    half_width: Array
    """[lags], half width of the 95 % interval of the difference."""
    tracks: NDArray[np.int64]
    """[lags], number of tracks with an onset at that lag."""
    tracks_elsewhere: NDArray[np.int64]
    """[lags], number of tracks without an onset at that lag."""

    @property
    def sure(self) -> NDArray[np.bool_]:
        """[lags], whether the two means differ at 95 % over all lags together (Bonferroni).

        Differences below a share NAMED of the largest mean are left out. If a rare feature is 0 in
        all other tracks, the normal approximation would call a few stray steps significant.
        """
        difference = np.abs(self.before - self.elsewhere)
        compared = np.isfinite(difference) & np.isfinite(self.half_width)
        if not compared.any():
            return compared
        wider = norm.ppf(1 - 0.025 / compared.sum()) / _NORMAL
        largest = max(self.before[compared].max(), self.elsewhere[compared].max())
        large = difference > NAMED * largest
        return np.asarray(compared & large & (difference > wider * self.half_width))


class AroundCurves:
    """Measures the curves of n features in two passes over the tracks, in constant memory.

    First ``add`` every track, then ``compare`` every track.
    """

    def __init__(self, features: int, *, ahead_seconds: float, context_frames: int) -> None:
        count = round((AFTER_SECONDS + ahead_seconds) / BIN_SECONDS)
        self.edges = -AFTER_SECONDS + BIN_SECONDS * np.arange(count + 1)
        self._with = np.zeros((context_frames, count))
        self._without = np.zeros((context_frames, count))
        self._sum_without = np.zeros((context_frames, count, features))
        self._before = _Means(count, features)
        self._baseline = _Means(count, features)
        self._excess = _Means(count, features)
        self._spread = _Means(count, features)

    def add(self, track: Track, activity: Array) -> None:
        """First pass: the mean of each step without an onset. ``activity`` [rows, n]."""
        for event, none, values in self._parts(track, activity):
            steps = slice(len(values))
            self._with[steps] += event
            self._without[steps] += none
            self._sum_without[steps] += none[:, :, np.newaxis] * values[:, np.newaxis]

    def compare(self, track: Track, activity: Array) -> None:
        """Second pass: the track's activity before its onsets and elsewhere, relative to that
        mean."""
        lags, features = self._sum_without.shape[1:]
        counts, weights = np.zeros(lags), np.zeros(lags)
        before, base, spread = (np.zeros((lags, features)) for _ in range(3))
        for event, none, values in self._parts(track, activity):
            steps = slice(len(values))
            without = self._without[steps]
            mean = self._sum_without[steps] / np.maximum(without, 1)[:, :, np.newaxis]
            used = event * (without > 0)
            counts += used.sum(axis=0)
            before += used.T @ values
            base += np.einsum("rl,rln->ln", used, mean)
            weight = none * self._with[steps]  # as often as the step is compared with
            weights += weight.sum(axis=0)
            spread += weight.T @ values - np.einsum("rl,rln->ln", weight, mean)
        has, lacks = counts > 0, weights > 0
        divisor = np.maximum(counts, 1)[:, np.newaxis]
        self._before.add(has, before / divisor)
        self._baseline.add(has, base / divisor)
        self._excess.add(has, (before - base) / divisor)
        self._spread.add(lacks, spread / np.where(lacks, weights, 1)[:, np.newaxis])

    def result(self) -> list[Around]:
        """One for each feature."""
        error = np.sqrt(self._excess.variance_of_mean() + self._spread.variance_of_mean())
        seconds = (self.edges[:-1] + self.edges[1:]) / 2
        before, baseline = self._before.mean(), self._baseline.mean()
        return [
            Around(
                seconds,
                before[:, i],
                baseline[:, i],
                _NORMAL * error[:, i],
                self._before.count.astype(np.int64),
                self._spread.count.astype(np.int64),
            )
            for i in range(before.shape[1])
        ]

    def _parts(self, track: Track, activity: Array) -> Iterable[tuple[Array, Array, Array]]:
        """By context: rows × lags with an onset and without (0 or 1), and activity [rows, n]."""
        for context in track.contexts:
            yield *self._events(context), activity[context.rows]

    def _events(self, context: ListenedContext) -> tuple[Array, Array]:
        """[rows, lags]: whether an onset lies in each bin, and whether none is known to."""
        instants = context.timing.now(np.arange(context.frames))
        ahead = context.onsets[np.newaxis] - instants[:, np.newaxis]
        event = np.zeros((len(instants), len(self.edges) - 1))
        rows, onsets = np.nonzero((ahead > self.edges[0]) & (ahead <= self.edges[-1]))
        lags = np.searchsorted(self.edges, ahead[rows, onsets]) - 1
        event[rows, lags] = 1
        # As the targets of the probes: of what is not known, no onset counts either, or the rows
        # that are left would be chosen by what returns.
        ends = instants[:, np.newaxis] + self.edges
        known = within(ends[:, :-1], ends[:, 1:], context.known)
        event, none = event * known, (1 - event) * known
        none[0] = event[0] = 0  # the first row has read nothing
        return event, none


class _Means:
    """Mean over tracks and its variance, one entry for each lag and feature (Welford)."""

    def __init__(self, lags: int, features: int) -> None:
        self.count = np.zeros(lags)
        self._mean = np.zeros((lags, features))
        self._squares = np.zeros((lags, features))

    def add(self, which: NDArray[np.bool_], values: Array) -> None:
        """Add a track's values [lags, n], at the lags where it has any."""
        self.count += which
        step = np.where(which[:, np.newaxis], values - self._mean, 0)
        self._mean += step / np.maximum(self.count, 1)[:, np.newaxis]
        self._squares += np.where(which[:, np.newaxis], step * (values - self._mean), 0)

    def mean(self) -> Array:
        """[lags, n]; NaN of nothing."""
        return np.where(self.count[:, np.newaxis] > 0, self._mean, np.nan)

    def variance_of_mean(self) -> Array:
        """[lags, n]; NaN of fewer than two tracks."""
        n = self.count[:, np.newaxis]
        return np.where(n > 1, self._squares / np.maximum(n - 1, 1) / np.maximum(n, 1), np.nan)
