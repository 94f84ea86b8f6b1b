"""From a recording to the list of its recurring motifs, best first."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from leitmotif.audio.decode import Samples
from leitmotif.recurrence.null import Null, estimate
from leitmotif.recurrence.pairs import distinct
from leitmotif.recurrence.refine import Candidates, highest_score, refine
from leitmotif.recurrence.search import seeds
from leitmotif.recurrence.settings import SearchSettings
from leitmotif.recurrence.texture import texture_share
from leitmotif.recurrence.variety import varied
from leitmotif.recurrence.views import Array, Views, make_views

_LEAST = 20
"""Suggestions for a recording, however short."""
_SPARE = 4
"""Times as many are looked at, in case texture explains the best."""
LENGTH_PREFERENCE = 0.3
"""Beside ``refine.LENGTH_WEIGHT``: a window twice as long is shown as early as one that is more
alike by 0.5. Long windows are right more often, for they need not begin where the motif does."""
_TIE = 1e-4
"""By which the score falls at least from one to the next, so that rounding keeps the order."""


@dataclass(frozen=True)
class Suggestion:
    """A window of a recording and a later one that returns it; times in seconds."""

    motif_start: float
    motif_end: float
    recurrence_start: float
    recurrence_end: float
    transposition: int
    """Semitones by which the recurrence lies higher."""
    score: float
    """Ranks the list: the likeness at this place of it, smoothed so that it falls all the way."""
    likeness: float
    """0 is what texture alone is expected to reach, 1 an exact repetition of the longest window."""
    p: float
    """Family-wise over the recording: how often the best likeness is as high if nothing returns."""
    expected: float
    """Number of false suggestions a minute of this likeness, if nothing returns."""
    texture: float
    """Share of the similarity that remains when the windows are shifted against each other."""


def suggest(views: Views, search: SearchSettings) -> list[Suggestion]:
    """Rank the recurrences of a recording, best first, significant or not.

    ``views`` must be on the search's grid. At most ``search.per_minute`` a minute, and at least 20,
    are returned; overlapping ones are merged into the best of them.
    """
    if abs(views.rate - search.rate) > 1e-9:
        raise ValueError(f"views at {views.rate} frames a second, expected {search.rate}")
    candidates = refine(views, seeds(views, search), search)
    if not len(candidates):
        return []
    nulls = estimate(views, search)
    if not all(math.isfinite(null.location) for null in nulls):
        return []  # no surrogate could be searched: nothing says what texture alone reaches
    preference = preferred(candidates, search)
    order = _order(candidates, preference)
    candidates, preference = candidates.taken(order), preference[order]
    minutes = views.frames / views.rate / 60
    most = max(_LEAST, round(search.per_minute * minutes))
    pairs = candidates.pairs
    kept = distinct(pairs.starts, pairs.ends, overlap=search.overlap, most=_SPARE * most)
    texture = texture_share(views, pairs.taken(kept))
    melodic = texture <= search.max_texture
    kept, texture = kept[melodic], texture[melodic]
    candidates, preference = candidates.taken(kept), preference[kept]
    pairs = candidates.pairs
    chosen = varied(pairs.starts, pairs.ends, preference, pairs.frames, most=most)
    return _described(candidates.taken(chosen), texture[chosen], views, search, nulls)


def suggest_in_audio(
    samples: Samples, sample_rate: int, search: SearchSettings
) -> list[Suggestion]:
    """Rank the recurrences of mono audio; see ``suggest``."""
    return suggest(make_views(samples, sample_rate, rate=search.rate), search)


def accepted(
    suggestions: list[Suggestion], *, p: float, false_per_minute: float, min_score: float = 0.0
) -> list[Suggestion]:
    """Keep what is significant.

    A recording whose best suggestion has a p-value above ``p`` has none: of recordings in which
    nothing returns, a share of ``p`` passes. From one that passes, all are kept whose likeness
    would be reached by at most ``false_per_minute`` false suggestions a minute, and is
    ``min_score`` or more.
    """
    if not suggestions or min(one.p for one in suggestions) > p:
        return []
    return [
        one
        for one in suggestions
        if (one.p <= p or one.expected <= false_per_minute) and one.likeness >= min_score
    ]


def preferred(candidates: Candidates, search: SearchSettings) -> Array:
    """How much each is worth to be shown early, [n]: its score, and more for long windows."""
    length = candidates.pairs.frames / search.windows[0]
    return np.asarray(np.round(candidates.score + LENGTH_PREFERENCE * np.log2(length), 12))


def _order(candidates: Candidates, preference: Array) -> NDArray[np.intp]:
    pairs = candidates.pairs
    return np.lexsort((pairs.recurrence, pairs.motif, pairs.frames, -preference))


def _described(
    candidates: Candidates,
    texture: NDArray[np.float64],
    views: Views,
    search: SearchSettings,
    nulls: list[Null],
) -> list[Suggestion]:
    if not len(candidates):
        return []
    length = views.frames / views.rate
    location = max(null.location for null in nulls)
    expected = np.max([null.expected(candidates.score) for null in nulls], axis=0) / (length / 60)
    p = np.max([null.p(candidates.score) for null in nulls], axis=0)
    span = highest_score(search) - location
    likeness = (candidates.score - location) / span
    score = isotonic_regression(likeness, increasing=False).x - _TIE * np.arange(len(likeness))
    starts, ends = candidates.pairs.starts / views.rate, candidates.pairs.ends / views.rate
    return [
        Suggestion(
            motif_start=float(starts[n, 0]),
            motif_end=float(ends[n, 0]),
            recurrence_start=float(starts[n, 1]),
            recurrence_end=float(min(ends[n, 1], length)),
            transposition=int(candidates.pairs.transposition[n]),
            score=float(score[n]),
            likeness=float(likeness[n]),
            p=float(p[n]),
            expected=float(expected[n]),
            texture=float(texture[n]),
        )
        for n in range(len(candidates))
    ]
