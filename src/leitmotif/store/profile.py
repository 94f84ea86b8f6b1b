"""How large the activations are along the model's context: a first look at a store, for a plot.

A site that is scaled wrongly, read at another place, or driven by its first steps alone shows here
before any probe is fitted to it.
"""

import math
from dataclasses import dataclass

import numpy as np

from leitmotif.store.reading.reader import ActivationStore


@dataclass(frozen=True)
class Level:
    """The root mean square of a site's activations in one second of the context."""

    site: str
    second: int
    """Second from the start of the window that the model reads."""
    rms: float
    """Over tracks, windows, the second's steps, and the width."""


def context_profile(store: ActivationStore) -> list[Level]:
    """Measure every site, second by second; one tensor in memory at a time. Raises StoreError."""
    levels = []
    for site in store.sites:
        squares: dict[int, float] = {}
        counts: dict[int, int] = {}
        for track_id, array in store.items(site):
            first, header = 0, store.header(site, track_id)
            for window in header.windows:
                rows = array[first : first + window.frames].astype(np.float64)
                first += window.frames
                for second in range(math.ceil(len(rows) / header.frame_rate)):
                    start, end = (math.ceil(at * header.frame_rate) for at in (second, second + 1))
                    part = rows[start:end]
                    squares[second] = squares.get(second, 0.0) + float(np.square(part).sum())
                    counts[second] = counts.get(second, 0) + part.size
        levels += [
            Level(site, second, float(np.sqrt(squares[second] / counts[second])))
            for second in sorted(squares)
        ]
    return levels
