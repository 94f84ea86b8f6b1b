"""Likeness of two given windows, on the scale of the proposals: for pairs that people added."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from leitmotif.audio.reading.samples import Samples
from leitmotif.recurrence.search.null import estimate
from leitmotif.recurrence.search.pairs import WindowPairs
from leitmotif.recurrence.search.refine import highest_score, refine
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.recurrence.search.views import Views, make_views
from leitmotif.tables.base import Span

LEAST = 0.01
"""Likeness of windows that are no more alike than texture, or cannot be compared at all because
they overlap or are cut off: a person heard a return all the same, and 0 would say that there is
none."""
_SHORTEST_SECONDS = 0.2
"""Shorter windows are compared at this length; no search can have a shorter one."""


@dataclass(frozen=True)
class GivenPair:
    """Two windows of one recording in samples; the second returns the first."""

    motif: Span
    recurrence: Span
    transposition: int | None
    """Semitones by which the recurrence lies higher; None: not known."""


@dataclass(frozen=True)
class WindowLikeness:
    """How alike two windows are."""

    likeness: float
    """Texture alone is expected to reach 0, an exact repetition of the longest window reaches 1;
    at least LEAST."""
    transposition: int
    """Transposition that was given, or at which the windows are most alike."""


def likeness_of(
    samples: Samples, sample_rate: int, pairs: Sequence[GivenPair], search: SearchSettings
) -> list[WindowLikeness]:
    """Likeness of each pair, as the engine would find it: of the best windows within the two.

    Windows that are shorter than those of the search, or nearer to each other, are compared at the
    motif's own length, with a null of that length.

    Parameters
    ----------
    samples : mono audio [n] of the recording.
    sample_rate : of the audio and of the windows, in Hz.
    pairs : what to compare.
    search : settings of the proposals.

    Raises
    ------
    AudioError
        If the audio cannot be compared.
    """
    scales: dict[SearchSettings, tuple[Views, float]] = {}
    alike = []
    for pair in pairs:
        own = _search_for(pair, sample_rate, search)
        if own not in scales:
            views = make_views(samples, sample_rate, rate=own.rate)
            nulls = estimate(views, own)
            scales[own] = views, max((null.location for null in nulls), default=math.inf)
        alike.append(_likeness(pair, *scales[own], sample_rate, own))
    return alike


def _search_for(pair: GivenPair, sample_rate: int, search: SearchSettings) -> SearchSettings:
    seconds = pair.motif.samples / sample_rate
    lag = (pair.recurrence.start_sample - pair.motif.start_sample) / sample_rate
    slack = 0.5 / search.rate
    if seconds >= search.lengths[0] - slack and lag >= search.least_lag / search.rate - slack:
        return search
    # Rounded, so that windows of nearly one length share their views and their null.
    length = max(_SHORTEST_SECONDS, round(seconds, 1))
    texture = min(search.texture_seconds, length / 2)
    return replace(search, lengths=(length,), min_lag=0.0, texture_seconds=texture)


def _likeness(
    pair: GivenPair, views: Views, location: float, sample_rate: int, search: SearchSettings
) -> WindowLikeness:
    shifts = search.shifts if pair.transposition is None else (pair.transposition,)
    # The key first, at few places: the earliest of the best, so that 0 wins a tie of silence.
    best = WindowLikeness(LEAST, pair.transposition or 0)
    if not math.isfinite(location):
        return best
    highest = -math.inf
    for shift in sorted(shifts, key=lambda shift: (abs(shift), shift)):
        score = _best_score(pair, shift, views, sample_rate, search)
        if score > highest:
            highest = score
            likeness = (score - location) / (highest_score(search) - location)
            best = WindowLikeness(max(LEAST, round(likeness, 4)), shift)
    return best


def _best_score(
    pair: GivenPair, shift: int, views: Views, sample_rate: int, search: SearchSettings
) -> float:
    """Highest score of windows within the pair's; -inf if none can be compared."""
    per_sample = views.rate / sample_rate
    start, frames = pair.motif.start_sample * per_sample, pair.motif.samples * per_sample
    later = pair.recurrence.start_sample * per_sample
    least, most = search.tempi[0], search.tempi[-1]
    tempo = min(most, max(least, pair.recurrence.samples / pair.motif.samples))
    parts = []
    for window in search.windows:
        room = frames - window
        if room < -1 and len(search.windows) > 1:
            continue
        offsets = np.arange(0, max(0.0, room) + 1e-9, max(1, window // 4))
        n = len(offsets)
        parts.append(
            WindowPairs(
                np.round(start + offsets).astype(np.intp),
                np.round(later + offsets * tempo).astype(np.intp),
                np.full(n, window, np.intp),
                np.full(n, shift, np.intp),
                np.full(n, tempo),
                np.zeros(n),
            )
        )
    seeds = WindowPairs.joined(parts)
    if not len(seeds):
        return -math.inf
    candidates = refine(views, seeds, search, reach=max(1, int(seeds.frames.max()) // 8))
    # People set edges more freely than a frame of the grid.
    inside = (candidates.pairs.motif >= start - 2) & (
        candidates.pairs.motif + candidates.pairs.frames <= start + frames + 2
    )
    if len(search.windows) == 1:
        inside[:] = True
    return float(candidates.score[inside].max(initial=-math.inf))
