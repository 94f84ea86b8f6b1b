"""Activity of a feature by place in the context, in every track and on average."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leitmotif.claims import Horizon
from leitmotif.probe.inputs.targets import Events, target
from leitmotif.report.features.listening import ListenedContext, Track

Array = NDArray[np.float64]

RASTER_TRACKS = 100
"""Maximum number of tracks in the raster, sampled evenly."""
RASTER_COLUMNS = 416
"""Maximum number of columns; a column holds the largest activation of its rows."""
PLACE_SECONDS = 0.2


@dataclass(frozen=True)
class RasterLine:
    """A track in the raster."""

    track: Track
    context: ListenedContext
    values: Array
    """[columns], largest activation in each column; short contexts end early."""


@dataclass(frozen=True)
class ByPlace:
    """Mean activity at each place, by whether a recurrence begins at the horizon."""

    seconds: Array
    """[places], start of each place in seconds."""
    ahead: Array
    """[places], mean over rows with a recurrence at the horizon; NaN if there are none."""
    none: Array
    """[places], mean over rows without a recurrence at the horizon."""
    share: Array
    """[places], share of rows with a recurrence at the horizon."""


class Places:
    """Activity of n features by place, in constant memory."""

    def __init__(
        self,
        features: int,
        tracks: int,
        *,
        horizon: Horizon,
        context_frames: int,
        frame_rate: float,
    ) -> None:
        self.rows_a_column = -(-context_frames // RASTER_COLUMNS)
        self._every = -(-tracks // RASTER_TRACKS)
        self._horizon = horizon
        self._frames = max(1, round(PLACE_SECONDS * frame_rate))
        self._seconds = self._frames / frame_rate
        places = -(-context_frames // self._frames)
        self._sums = np.zeros((2, places, features))
        self._counts = np.zeros((2, places))
        self._lines: list[tuple[Track, ListenedContext, Array]] = []

    def add(self, track: Track, activity: Array) -> None:
        """Add a track; ``activity`` [rows, n]."""
        for context in track.contexts:
            values = activity[context.rows]
            self._add_means(context, values)
        if track.number % self._every == 0:
            context = track.contexts[0]
            starts = np.arange(0, context.frames, self.rows_a_column)
            # float32: what a picture needs
            pooled = np.maximum.reduceat(activity[context.rows], starts, axis=0)
            self._lines.append((track, context, pooled.astype(np.float32)))

    def raster(self, feature: int) -> list[RasterLine]:
        """First contexts of the tracks, grouped by their recurrences, with late recurrences
        last."""
        ordered = sorted(self._lines, key=lambda line: (tuple(line[1].onsets), line[0].number))
        return [
            RasterLine(track, context, values[:, feature]) for track, context, values in ordered
        ]

    def by_place(self, feature: int) -> ByPlace:
        """Mean activity at each place."""
        counts = self._counts
        sums = self._sums[:, :, feature]
        means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
        total = counts.sum(axis=0)
        return ByPlace(
            self._seconds * np.arange(counts.shape[1], dtype=np.float64),
            means[1],
            means[0],
            np.divide(counts[1], total, out=np.zeros_like(total), where=total > 0),
        )

    def _add_means(self, context: ListenedContext, values: Array) -> None:
        events = Events(context.onsets, np.ones(len(context.onsets)))
        instants = context.timing.now(np.arange(context.frames))
        y, known = target(instants, events, self._horizon, known=context.known)
        place = np.arange(context.frames) // self._frames
        for ahead in (0, 1):
            rows = 1 + np.flatnonzero((known & ((y > 0) == bool(ahead)))[1:])
            np.add.at(self._counts[ahead], place[rows], 1)
            np.add.at(self._sums[ahead], place[rows], values[rows])
