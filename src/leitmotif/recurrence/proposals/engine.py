"""Finds the recurring motifs of a recording and ranks them, best first."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from leitmotif.audio.reading.samples import Samples
from leitmotif.recurrence.proposals.variety import varied
from leitmotif.recurrence.search.null import Null, estimate
from leitmotif.recurrence.search.pairs import distinct
from leitmotif.recurrence.search.refine import Candidates, highest_score, refine
from leitmotif.recurrence.search.seeds import seeds
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.recurrence.search.texture import texture_share
from leitmotif.recurrence.search.views import Array, Views, make_views

_LEAST = 20
"""Minimum limit of suggestions for a recording, however short."""
_SPARE = 4
"""Factor of further candidates to examine, in case texture explains the best."""
LENGTH_PREFERENCE = 0.3
"""Weight of a window's length in the order, added to ``refine.LENGTH_WEIGHT``: a window of twice
the length ranks like one whose similarity is higher by 0.5. Long windows are correct more often,
because they need not begin where the motif does."""
_TIE = 1e-4
"""Minimum difference between the scores of neighbours in the list, so that rounding keeps the
order."""


@dataclass(frozen=True)
class Suggestion:
    """A window of a recording and a later window in which it returns; times in seconds."""

    motif_start: float
    motif_end: float
    recurrence_start: float
    recurrence_end: float
    transposition: int
    """Semitones by which the recurrence lies higher."""
    score: float
    """Ranks the list: the likeness, smoothed so that it decreases along the list."""
    likeness: float
    """Texture alone is expected to reach 0, an exact repetition of the longest window reaches 1."""
    p: float
    """Family-wise p-value over the recording: the probability that its best likeness is as high if
    nothing returns."""
    expected: float
    """Expected number of false suggestions per minute with this likeness, if nothing returns."""
    texture: float
    """Share of the similarity that remains when the windows are shifted against each other."""

    def __repr__(self) -> str:
        """Say when, how alike, and how likely by chance, in a line."""
        up = f", {self.transposition:+d} semitones" if self.transposition else ""
        return (
            f"Suggestion({self.motif_start:.2f}-{self.motif_end:.2f} s returns at "
            f"{self.recurrence_start:.2f}-{self.recurrence_end:.2f} s{up}: likeness "
            f"{self.likeness:.3f}, p {self.p:.3g})"
        )


def suggest(views: Views, search: SearchSettings) -> list[Suggestion]:
    """Rank the recurrences of a recording, best first, whether they are significant or not.

    Overlapping recurrences are merged into the best of them.

    Parameters
    ----------
    views
        Of the recording, on the grid of the search (``search.rate`` frames per second).
    search
        Settings of the search.

    Returns
    -------
    list of Suggestion
        At most ``search.per_minute`` per minute of audio; the limit is never below 20.

    Raises
    ------
    ValueError
        If the views are on another grid.
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
    """Keep the significant suggestions of one recording.

    Parameters
    ----------
    suggestions
        All suggestions of the recording.
    p
        Maximum p-value of the best suggestion; otherwise none is kept. Among recordings in which
        nothing returns, a share of ``p`` passes.
    false_per_minute
        If the recording passes, a suggestion is kept if at most this many false suggestions per
        minute would reach its likeness.
    min_score
        Minimum likeness of a suggestion.
    """
    if not suggestions or min(suggestion.p for suggestion in suggestions) > p:
        return []
    return [
        suggestion
        for suggestion in suggestions
        if (suggestion.p <= p or suggestion.expected <= false_per_minute)
        and suggestion.likeness >= min_score
    ]


def preferred(candidates: Candidates, search: SearchSettings) -> Array:
    """Preference [n] by which candidates are ordered: the score plus a bonus for long windows."""
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
