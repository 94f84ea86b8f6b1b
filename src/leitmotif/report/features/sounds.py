"""Correlations of a feature's activity with simple properties of the sound."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leitmotif.report.features.listening import ListenedContext, ListenedSound, Track
from leitmotif.timing.frames import first_frame_from, frames_ended

Array = NDArray[np.float64]

PITCHES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
PROPERTIES = (*PITCHES, "energy", "onset", "place")
"""``place`` counts rows from the context's start; the others belong to the last frame that a row
has read."""


@dataclass(frozen=True)
class SoundCorrelation:
    """Correlation of activity with one property of the sound."""

    name: str
    r: float
    """Pearson correlation over all rows of all tracks."""


class Links:
    """Correlations of n features with PROPERTIES, track by track, in constant memory."""

    def __init__(self, features: int) -> None:
        columns = len(PROPERTIES) + features
        self._rows = 0
        self._mean = np.zeros(columns)
        self._products = np.zeros((columns, columns))

    def add(self, track: Track, sound: ListenedSound, activity: Array) -> None:
        """Add a track; ``activity`` [rows, n]."""
        for context in track.contexts:
            last = _last_frames(context, sound)
            heard = np.vstack([sound.chroma[:, last], sound.energy[last], sound.onset[last]]).T
            place = np.arange(1, context.frames, dtype=np.float64)[:, np.newaxis]
            values = np.hstack([heard, place, activity[context.rows][1:]])
            # Combined as groups (Chan et al. 1983), so that large means do not reduce precision.
            n, mean = len(values), values.mean(axis=0)
            centred, step = values - mean, mean - self._mean
            total = self._rows + n
            self._products += centred.T @ centred + np.outer(step, step) * self._rows * n / total
            self._mean += step * n / total
            self._rows = total

    def result(self) -> list[list[SoundCorrelation]]:
        """Links of each feature in the order of PROPERTIES; 0 if activity or property is
        constant."""
        spread = np.sqrt(np.diag(self._products))
        count = len(PROPERTIES)
        scale = np.outer(spread[count:], spread[:count])
        covered = self._products[count:, :count]
        r = np.divide(covered, scale, out=np.zeros_like(covered), where=scale > 0)
        return [
            [
                SoundCorrelation(name, float(value))
                for name, value in zip(PROPERTIES, row, strict=True)
            ]
            for row in r
        ]


def _last_frames(context: ListenedContext, sound: ListenedSound) -> NDArray[np.int64]:
    """The sound's frame that ended last before each row but the first: [frames - 1]."""
    rates = context.timing.frame_rate, sound.frame_rate
    start = first_frame_from(context.start_frame, *rates)
    return start + np.maximum(frames_ended(np.arange(1, context.frames), *rates) - 1, 0)


class Clock:
    """Share of n features' activity that the place in the context explains, in constant memory.

    A mean for each step is fitted over all tracks. The share of the variance that it explains is
    adjusted for the number of steps, so that it is 0 on average if there is no relation.
    """

    def __init__(self, features: int, *, context_frames: int) -> None:
        self._counts = np.zeros(context_frames)
        self._sums = np.zeros((context_frames, features))
        self._squares = np.zeros(features)

    def add(self, track: Track, activity: Array) -> None:
        """Add a track; ``activity`` [rows, n]."""
        for context in track.contexts:
            values = activity[context.rows][1:]
            self._counts[1 : context.frames] += 1
            self._sums[1 : context.frames] += values
            self._squares += (values**2).sum(axis=0)

    def result(self) -> list[float]:
        """Share for each feature, at least 0; 0 if the feature is constant."""
        reached = self._counts > 0
        counts, sums = self._counts[reached][:, np.newaxis], self._sums[reached]
        rows, steps = float(counts.sum()), len(counts)
        total = self._squares - sums.sum(axis=0) ** 2 / rows
        within = self._squares - (sums**2 / counts).sum(axis=0)
        if rows <= steps:
            return [0.0] * len(total)
        left = (within / (rows - steps)) / np.where(total > 0, total / (rows - 1), np.inf)
        return [
            float(max(1 - share, 0)) if spread > 0 else 0.0
            for share, spread in zip(left, total, strict=True)
        ]
