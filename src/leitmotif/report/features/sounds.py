"""What a feature may hear: how its activity goes along with simple properties of the sound."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leitmotif.report.features.listening import Sound, Track

Array = NDArray[np.float64]

PITCHES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
PROPERTIES = (*PITCHES, "energy", "onset", "place")
"""``place``: rows since the context began; the rest are of the last frame that a row has read."""


@dataclass(frozen=True)
class Link:
    """How activity and one property of the sound go together."""

    name: str
    r: float
    """Pearson's, over all rows of all tracks."""


class Links:
    """Correlations of n features with PROPERTIES, track by track, in constant memory."""

    def __init__(self, features: int) -> None:
        columns = len(PROPERTIES) + features
        self._rows = 0
        self._mean = np.zeros(columns)
        self._products = np.zeros((columns, columns))

    def add(self, track: Track, sound: Sound, activity: Array) -> None:
        """Add a track; ``activity`` [rows, n]."""
        for context in track.contexts:
            last = slice(context.start_frame, context.start_frame + context.frames - 1)
            heard = np.vstack([sound.chroma[:, last], sound.energy[last], sound.onset[last]]).T
            place = np.arange(1, context.frames, dtype=np.float64)[:, np.newaxis]
            values = np.hstack([heard, place, activity[context.rows][1:]])
            # Joined as groups (Chan et al. 1983), so that large means cost no precision.
            n, mean = len(values), values.mean(axis=0)
            centred, step = values - mean, mean - self._mean
            total = self._rows + n
            self._products += centred.T @ centred + np.outer(step, step) * self._rows * n / total
            self._mean += step * n / total
            self._rows = total

    def result(self) -> list[list[Link]]:
        """For each feature its links in the order of PROPERTIES; 0 where something is constant."""
        spread = np.sqrt(np.diag(self._products))
        count = len(PROPERTIES)
        scale = np.outer(spread[count:], spread[:count])
        covered = self._products[count:, :count]
        r = np.divide(covered, scale, out=np.zeros_like(covered), where=scale > 0)
        return [
            [Link(name, float(value)) for name, value in zip(PROPERTIES, row, strict=True)]
            for row in r
        ]
