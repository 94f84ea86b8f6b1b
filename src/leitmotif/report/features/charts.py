"""Charts in relative coordinates, which a template turns into SVG of any width.

A shape is a path in a box of 100 by 100 whose proportions may change. Ticks and labels are text of
the page with positions in per cent, so they keep their size on a narrow screen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leitmotif.report.features.around import Around
from leitmotif.report.features.density import Density
from leitmotif.report.features.places import ByPlace

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """A path and the class that styles it."""

    kind: str
    path: str


@dataclass(frozen=True)
class Tick:
    """A label at a place of an axis, in per cent from the left or from the top."""

    place: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A chart that a template draws."""

    shapes: Sequence[Shape]
    x: Sequence[Tick]
    y: Sequence[Tick]
    x_label: str
    y_label: str


def around_chart(around: Around) -> Chart:
    """Mean activity by seconds to an onset and at the same places elsewhere, with the band.

    Time runs from left to right. Onsets are at 0, and activity that precedes them is on the left.
    """
    x = -around.seconds[::-1]
    before, elsewhere, half = (
        values[::-1] for values in (around.before, around.elsewhere, around.half_width)
    )
    scale = _Scale((x[0], x[-1]), (0.0, _most(before, elsewhere, elsewhere + half)))
    half = np.where(np.isfinite(half), half, 0)
    low, high = np.maximum(before - half, 0), before + half
    ticks = np.arange(np.ceil(x[0]), np.floor(x[-1]) + 1)
    every = max(1, round(len(ticks) / 10))
    return Chart(
        [
            Shape("zero", scale.line(np.zeros(2), np.array(scale.y))),
            Shape("band", scale.area(x, low, np.minimum(high, scale.y[1]))),
            Shape("other", scale.line(x, elsewhere)),
            Shape("main", scale.line(x, before)),
        ],
        [Tick(scale.at(tick), f"{tick:+.0f} s" if tick else "onset") for tick in ticks[::every]],
        scale.y_ticks(),
        "seconds from the onset of a recurrence",
        "mean activity",
    )


def place_chart(places: ByPlace) -> Chart:
    """Mean activity by place in the context, with a recurrence at the horizon and without."""
    scale = _Scale((0.0, places.seconds[-1]), (0.0, _most(places.ahead, places.none)))
    step = next(s for s in (1, 2, 5, 10, 20, 60) if places.seconds[-1] / s <= 6 or s == 60)
    ticks = np.arange(0, places.seconds[-1], step)
    return Chart(
        [
            Shape("other", scale.line(places.seconds, places.none)),
            Shape("main", scale.line(places.seconds, places.ahead)),
        ],
        [Tick(scale.at(tick), f"{tick:.0f} s") for tick in ticks],
        scale.y_ticks(),
        "seconds from the context's start",
        "mean activity",
    )


def histogram(density: Density) -> Chart:
    """Histogram of activations over rows, on a scale of octaves."""
    edges, counts = density.histogram()
    octaves = np.log2(np.maximum(edges, 2.0**-24))
    scale = _Scale((octaves[0], octaves[-1]), (0.0, 1.05 * max(counts.max(), 1)))
    ticks = np.arange(np.ceil(octaves[0]), np.floor(octaves[-1]) + 1)
    every = max(1, -(-len(ticks) // 7))
    return Chart(
        [Shape("bars", scale.bars(octaves, counts.astype(np.float64)))],
        [Tick(scale.at(tick), f"{2.0**tick:g}") for tick in ticks[::every]],
        scale.y_ticks(),
        "activation, on a scale of octaves",
        "steps",
    )


def sparkline(around: Around) -> str:
    """Significant differences between activity before onsets and elsewhere: a path, 0 in the
    middle."""
    difference = (around.before - around.elsewhere)[::-1]
    known = np.isfinite(difference)
    difference = np.where(around.sure[::-1], difference, np.where(known, 0, np.nan))
    most = _most(np.abs(difference))
    x = -around.seconds[::-1]
    return _Scale((x[0], x[-1]), (-most, most)).line(x, difference)


def trace(values: Array, largest: float) -> str:
    """Activity of successive rows [n] as a filled path; ``largest`` has the height of the box.

    Row t represents the frame after it, from place t to place t + 1.
    """
    edges = np.arange(len(values) + 1, dtype=np.float64)
    return _Scale((0.0, float(len(values))), (0.0, largest or 1.0)).bars(edges, values)


class _Scale:
    """Maps values to the box of 100 by 100."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x = x if x[1] > x[0] else (x[0], x[0] + 1)
        self.y = y if y[1] > y[0] else (y[0], y[0] + 1)

    def at(self, value: float) -> float:
        """Position in per cent from the left."""
        low, high = self.x
        return round(100 * float(value - low) / (high - low), 2)

    def up(self, value: float) -> float:
        """Position in per cent from the top."""
        low, high = self.y
        return round(100 - 100 * float(value - low) / (high - low), 2)

    def line(self, x: Array, y: Array) -> str:
        """A line that breaks where y is NaN."""
        parts, pen = [], "M"
        for at, value in zip(x, y, strict=True):
            if np.isfinite(value):
                parts.append(f"{pen}{self.at(at):g} {self.up(value):g}")
                pen = "L"
            else:
                pen = "M"
        return "".join(parts)

    def area(self, x: Array, low: Array, high: Array) -> str:
        """Area between two lines, interrupted where either is NaN."""
        known = np.isfinite(low) & np.isfinite(high)
        edges = np.flatnonzero(np.diff(np.r_[False, known, False]))
        return "".join(
            self.line(x[a:b], high[a:b])
            + self.line(x[a:b][::-1], low[a:b][::-1]).replace("M", "L", 1)
            + "Z"
            for a, b in zip(edges[::2], edges[1::2], strict=True)
        )

    def bars(self, edges: Array, heights: Array) -> str:
        """Bars between edges [n + 1] from the bottom; neighbours of equal height are joined."""
        path = f"M{self.at(edges[0]):g} 100"
        last = None
        for left, height in zip(edges, heights, strict=False):
            up = self.up(height)
            if up != last:
                path += f"H{self.at(left):g}V{up:g}"
            last = up
        return f"{path}H{self.at(edges[-1]):g}V100Z"

    def y_ticks(self) -> list[Tick]:
        """0 and a round number below the top."""
        high = self.y[1]
        size = 10 ** np.floor(np.log10(high))
        top = max(step * size for step in (1, 2, 5) if step * size <= high)
        return [Tick(self.up(value), f"{value:g}") for value in (0.0, float(top))]


def _most(*values: Array) -> float:
    largest = [float(np.nanmax(series)) for series in values if np.isfinite(series).any()]
    return max([*largest, 1e-9]) * 1.05
