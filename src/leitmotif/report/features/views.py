"""Converts measurements into the data that the templates of the feature pages draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from leitmotif.report.clips import ReportClip
from leitmotif.report.features import words
from leitmotif.report.features.charts import Tick, trace
from leitmotif.report.features.heard import AFTER_SECONDS, BEFORE_SECONDS, Excerpt
from leitmotif.report.features.listening import Track
from leitmotif.report.features.moments import Moment
from leitmotif.report.features.places import RasterLine
from leitmotif.report.features.raster import raster_png

Array = NDArray[np.float64]

MOST_GROUPS = 8
"""Maximum number of groups of tracks with the same onsets that are labelled at the raster."""


@dataclass(frozen=True)
class Firing:
    """A section of sound with the feature's activity above it."""

    clip: ReportClip
    marks: Sequence[Mapping[str, object]]
    """Marks for score.js, in seconds of the clip."""
    trace: str
    """Path in a box of 100 by 100."""
    moment: float
    """Position of the moment as a share of the clip."""
    length: float
    """Length of the clip as a share of a full clip."""
    late: float
    """Missing part at the start as a share of a full clip, so that the lines of all clips align."""
    highest: bool
    label: str
    """Text for screen readers."""
    title: str
    facts: Sequence[str]


@dataclass(frozen=True)
class Raster:
    """All tracks at once."""

    png: str
    onsets: str
    """Path of the recurrences' onsets in a box of 100 by 100."""
    x: Sequence[Tick]
    groups: Sequence[Tick]
    """Labels of groups of tracks, at their middle."""
    borders: Sequence[float]
    """Ends of the groups, in per cent from the top."""
    rows: int


def firing(
    moment: Moment,
    excerpt: Excerpt,
    clip: ReportClip,
    track: Track,
    activity: Array,
    largest: float,
) -> Firing:
    """Data of a moment in an excerpt; ``activity`` [rows] covers the whole track."""
    context = track.contexts[moment.context]
    rate, seconds = context.timing.frame_rate, excerpt.seconds(context)
    part = activity[context.rows][excerpt.first : excerpt.end]
    at = (moment.step - excerpt.first) / rate
    where = moment.step / rate + context.start_frame / rate
    share = words.percent(moment.value / largest) if largest else "0 %"
    full = BEFORE_SECONDS + AFTER_SECONDS
    strength = f"{words.short_number(moment.value)}, {share} of its maximum"
    return Firing(
        clip=clip,
        marks=_recurrences(track, excerpt),
        trace=trace(part, largest),
        moment=round(at / seconds, 4),
        length=round(seconds / full, 4),
        late=round(max(BEFORE_SECONDS - at, 0) / full, 4),
        highest=moment.band is None,
        label=f"{track.row.track_id} around {where:.1f} seconds",
        title=f"{track.row.track_id} at {where:.2f} s",
        facts=[
            strength if moment.band is None else f"{words.band(moment)}: {strength}",
            words.to_come(moment, track, context),
        ],
    )


def raster(lines: Sequence[RasterLine], largest: float, rows_a_column: int) -> Raster:
    """Data of the raster, with lines below each other and onsets at the times at which they
    sound."""
    columns = max(len(line.values) for line in lines)
    count, rate = len(lines), lines[0].context.timing.frame_rate
    marks, groups, borders = [], [], []
    at = 0
    for onsets, members in groupby(lines, key=lambda line: tuple(line.context.onsets)):
        size = len(list(members))
        top, bottom = 100 * at / count, 100 * (at + size) / count
        for onset in onsets:
            x = 100 * onset * rate / rows_a_column / columns
            if x < 100:
                marks.append(f"M{x:.2f} {top:.2f}V{bottom:.2f}")
        names = " ".join(f"{onset:.1f}" for onset in onsets)
        groups.append(Tick(round((top + bottom) / 2, 2), f"{names or 'none'} ({size})"))
        borders.append(round(bottom, 2))
        at += size
    seconds = columns * rows_a_column / rate
    step = next(s for s in (1, 2, 5, 10, 20, 60) if seconds / s <= 10 or s == 60)
    named = len(groups) <= MOST_GROUPS
    return Raster(
        raster_png(lines, largest),
        "".join(marks),
        [Tick(round(100 * s / seconds, 2), f"{s} s") for s in range(0, int(seconds) + 1, step)],
        groups if named else [],
        borders[:-1] if named else [],
        count,
    )


def _recurrences(track: Track, excerpt: Excerpt) -> list[Mapping[str, object]]:
    """Motifs and their verified returns within an excerpt, without repetitions."""
    context = track.contexts[excerpt.context]
    start = (context.start_frame + excerpt.first) / context.timing.frame_rate
    spans = {
        (kind, span.start_sample / label.sample_rate, span.samples / label.sample_rate)
        for label in track.labels
        for kind, span in (("motif", label.motif), ("return", label.recurrence))
    }
    marks: list[Mapping[str, object]] = []
    for kind, first, length in sorted(spans, key=lambda span: (span[1], span[0], span[2])):
        low, high = max(first - start, 0.0), min(first + length - start, excerpt.seconds(context))
        if high > low:
            marks.append({"kind": kind, "from": round(low, 3), "to": round(high, 3), "label": kind})
    return marks
