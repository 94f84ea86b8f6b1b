"""Selects moments of a feature: the highest, and random moments from lower bands of its activity.

The highest moments alone mislead: a feature may mean one thing at its peak and another where it is
mostly active (Bricken et al. 2023). So rows are also drawn at random from bands of the active rows.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leitmotif.report.features.density import Density
from leitmotif.report.features.listening import Track

Array = NDArray[np.float64]

TOP = 6
"""Number of highest moments of a feature."""
PER_TRACK = 1
"""Maximum number of these from one track."""
APART_SECONDS = 2.0
"""Minimum distance between two moments of one context."""
BANDS = ((0.9, 0.99), (0.5, 0.9), (0.0, 0.5))
"""Quantiles of the active rows between which a moment is drawn, from the highest down."""


@dataclass(frozen=True, order=True)
class Moment:
    """A row in which a feature is active."""

    value: float
    track: int
    """Number of the track."""
    context: int
    """Number of the context in the track."""
    step: int
    """Row of the context; it has read the frames before it."""
    band: int | None = None
    """Index in BANDS; None for one of the highest moments."""


def highest(values: Array, apart: int, most: int) -> list[int]:
    """Indices of the highest positive values [n] that are at least ``apart`` from each other.

    They are selected one by one, the highest first; among equal values the first is taken.

    >>> highest(np.array([0.0, 3.0, 2.0, 0.0, 1.0]), apart=3, most=2)
    [1, 4]
    """
    left = np.array(values)
    places: list[int] = []
    while len(places) < most and len(left) and left.max() > 0:
        at = int(left.argmax())
        places.append(at)
        left[max(0, at - apart + 1) : at + apart] = 0
    return places


class Moments:
    """Collects the moments of n features whose densities are known, in constant memory.

    ``numbers`` are the features' own numbers, so that the moments of a feature do not depend on
    other features. ``seed`` determines the random rows. In each band all tracks are equally likely,
    and so are all rows of a track in that band.
    """

    def __init__(self, numbers: Sequence[int], densities: Sequence[Density], *, seed: int) -> None:
        self._numbers = numbers
        self._bands = [
            [(density.quantile(low), density.quantile(high)) for low, high in BANDS]
            for density in densities
        ]
        self._seed = seed
        self._top: list[list[tuple[float, int, Moment]]] = [[] for _ in densities]
        self._drawn: list[list[tuple[float, Moment] | None]] = [
            [None] * len(BANDS) for _ in densities
        ]

    def add(self, track: Track, activity: Array) -> None:
        """Add a track [rows, n]; tracks must come in the order of their numbers."""
        places = [
            (number, step)
            for number, context in enumerate(track.contexts)
            for step in range(context.frames)
        ]
        for feature, number in enumerate(self._numbers):
            values = activity[:, feature]
            self._add_highest(feature, track, values)
            random = np.random.default_rng([self._seed, number, track.number])
            for band, (low, high) in enumerate(self._bands[feature]):
                inside = np.flatnonzero((values > low) & (values <= high))
                ticket, key = random.random(2)
                best = self._drawn[feature][band]
                if len(inside) and (best is None or ticket < best[0]):
                    row = int(inside[int(key * len(inside))])
                    moment = Moment(float(values[row]), track.number, *places[row], band)
                    self._drawn[feature][band] = (float(ticket), moment)

    def result(self) -> list[list[Moment]]:
        """For each feature, the highest moments in descending order, then the random ones by
        band."""
        return [
            [moment for _, _, moment in sorted(top, reverse=True)]
            + [ticket[1] for ticket in drawn if ticket is not None]
            for top, drawn in zip(self._top, self._drawn, strict=True)
        ]

    def _add_highest(self, feature: int, track: Track, values: Array) -> None:
        moments = []
        for number, context in enumerate(track.contexts):
            part = values[context.rows]
            apart = round(APART_SECONDS * context.timing.frame_rate)
            for step in highest(part, apart, PER_TRACK):
                moments.append(Moment(float(part[step]), track.number, number, step))
        moments.sort(key=lambda moment: (-moment.value, moment.context))
        heap = self._top[feature]
        for moment in moments[:PER_TRACK]:
            heapq.heappush(heap, (moment.value, -track.number, moment))
            if len(heap) > TOP:
                heapq.heappop(heap)
