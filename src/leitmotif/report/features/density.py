"""How often a feature is active, and how strongly."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BINS_PER_OCTAVE = 16
"""Resolution of the counts; a value is known to 2.2 %."""
OCTAVES = 24
"""Values from 2^-24 to 2^24 are distinguished; other values count at the ends."""
_BINS = 2 * OCTAVES * BINS_PER_OCTAVE


@dataclass(frozen=True)
class Density:
    """A feature's activity over all rows of all tracks."""

    frames: int
    active: int
    """Number of rows in which it is active."""
    tracks: int
    tracks_active: int
    largest: float
    counts: NDArray[np.int64]
    """[bins], active rows by the logarithm of the activation."""

    @property
    def share(self) -> float:
        """Share of the rows in which it is active: the density of Neuronpedia."""
        return self.active / max(self.frames, 1)

    @property
    def share_of_tracks(self) -> float:
        """Share of the tracks in which it is active at least once."""
        return self.tracks_active / max(self.tracks, 1)

    def quantile(self, share: float) -> float:
        """Quantile of the active rows, exact to half a bin; 0 if there are none."""
        if not self.active:
            return 0.0
        bin_ = int(np.searchsorted(np.cumsum(self.counts), share * self.active))
        return min(self.largest, value_of(bin_ + 0.5))

    def histogram(self, per_octave: int = 4) -> tuple[Array, NDArray[np.int64]]:
        """Edges [n + 1] and counts [n] of coarser bins, from the first to the last non-empty bin.

        ``per_octave`` divides BINS_PER_OCTAVE.
        """
        coarse = BINS_PER_OCTAVE // per_octave
        counts = self.counts.reshape(-1, coarse).sum(axis=1)
        filled = np.flatnonzero(counts)
        if not len(filled):
            return np.array([0.0, 1.0]), np.zeros(1, np.int64)
        first, last = int(filled[0]), int(filled[-1])
        edges = np.array([value_of(coarse * bin_) for bin_ in range(first, last + 2)])
        return edges, counts[first : last + 1]


class Densities:
    """Counts activity of n features, track by track, in constant memory."""

    def __init__(self, features: int) -> None:
        self._frames = self._tracks = 0
        self._active = np.zeros(features, np.int64)
        self._tracks_active = np.zeros(features, np.int64)
        self._largest = np.zeros(features)
        self._counts = np.zeros((features, _BINS), np.int64)

    def add(self, activity: Array) -> None:
        """Count the rows of a track [rows, n] that have read something."""
        active = activity > 0
        self._frames += len(activity)
        self._tracks += 1
        self._active += active.sum(axis=0)
        self._tracks_active += active.any(axis=0)
        self._largest = np.maximum(self._largest, activity.max(axis=0, initial=0))
        rows, features = np.nonzero(active)
        np.add.at(self._counts, (features, _bin_of(activity[rows, features])), 1)

    def result(self) -> list[Density]:
        """One for each feature."""
        return [
            Density(
                self._frames,
                int(self._active[i]),
                self._tracks,
                int(self._tracks_active[i]),
                float(self._largest[i]),
                self._counts[i],
            )
            for i in range(len(self._active))
        ]


def value_of(bin_: float) -> float:
    """Value at a position on the scale of bins; whole numbers are their lower edges."""
    return float(2.0 ** (bin_ / BINS_PER_OCTAVE - OCTAVES))


def _bin_of(values: Array) -> NDArray[np.int64]:
    bins = np.floor((np.log2(values) + OCTAVES) * BINS_PER_OCTAVE)
    return np.clip(bins, 0, _BINS - 1).astype(np.int64)
