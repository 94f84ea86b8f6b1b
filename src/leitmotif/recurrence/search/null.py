"""The null distribution: the best score for music of the same texture in which nothing returns.

Two surrogates are made of a recording. Each keeps what the other destroys:

``shuffled``
    blocks of ``texture_seconds`` in random order. Texture, harmony and loops stay; longer sequences
    do not.
``transposed``
    blocks of half that length in their original order, each raised or lowered at random. Rhythm and
    dynamics stay; melodies and progressions do not. Without this surrogate, music would pass if
    only its rhythm returned. The blocks are short because two blocks with the same shift still
    match.

The engine searches random sections of the surrogate for the best score; each section is compared
with everything after it. A Gumbel distribution (Gumbel 1958) is fitted to these maxima by its
moments and extrapolated to the length of the recording. It gives the family-wise p-value: the
probability that the best suggestion of such a surrogate scores as high. The larger of the two
p-values counts, so both nulls must be rejected (Berger 1982).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leitmotif.recurrence.search.refine import refine
from leitmotif.recurrence.search.seeds import best_distinct, peaks
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.recurrence.search.views import Array, Views

Surrogate = Literal["shuffled", "transposed"]
SURROGATES: tuple[Surrogate, ...] = ("shuffled", "transposed")

_BLOCKS: dict[Surrogate, float] = {"shuffled": 1.0, "transposed": 0.5}
"""Mean length of the blocks, in multiples of ``texture_seconds``."""
_STRETCHES = 16
"""Number of maxima from which the distribution is estimated, per surrogate."""
_BEST = 8
"""Number of seeds of each length that are refined in a section. The best refined candidate is
among them."""
_EULER = 0.5772156649015329
_LEAST_SCALE = 0.01
"""Minimum scale of the Gumbel distribution, because maxima that are all equal say little about the
tail."""


@dataclass(frozen=True)
class Null:
    """Distribution of the best score of a recording in which nothing returns."""

    location: float
    scale: float
    """Location and scale of the Gumbel distribution for one section."""
    stretches: float
    """Number of sections in the recording."""

    def p(self, scores: Array) -> NDArray[np.float64]:
        """Probability [n] that the best suggestion of such a recording reaches each of ``scores``
        [n]."""
        rate = self.expected(scores)
        return np.maximum(-np.expm1(-rate), np.finfo(np.float64).tiny)

    def expected(self, scores: Array) -> NDArray[np.float64]:
        """Expected number [n] of sections that reach each of ``scores`` [n]."""
        standard = (scores - self.location) / self.scale
        return np.asarray(self.stretches * np.exp(-np.clip(standard, -50, 700)))


def estimate(views: Views, search: SearchSettings) -> list[Null]:
    """Estimate the null of each surrogate; an empty list if no pair fits into the recording."""
    random = np.random.default_rng([search.seed, views.frames])
    if views.frames < search.searched[0] + search.least_lag:
        return []
    # A recording that is shorter than a section counts as one section.
    stretches = max(1.0, (views.frames - search.window - search.least_lag) / search.window)
    nulls = []
    for kind in SURROGATES:
        maxima = []
        changed = surrogate(views, search, kind, random)
        starts = random.integers(0, max(1, views.frames - 2 * search.window), _STRETCHES)
        for start in starts:
            maxima.append(_best_score(changed, search, int(start)))
        nulls.append(fitted(np.array(maxima), stretches))
    return nulls


def surrogate(
    views: Views, search: SearchSettings, kind: Surrogate, random: np.random.Generator
) -> Views:
    """Return views without the recurrences of a recording, but with its texture or its rhythm."""
    block = max(2, round(search.texture_seconds * search.rate * _BLOCKS[kind]))
    # Blocks differ in length, so that they do not align with the period of a loop.
    lengths = random.integers(block // 2 + 1, block + block // 2 + 1, views.frames)
    ends = np.cumsum(lengths)
    pieces = np.split(np.arange(views.frames), ends[ends < views.frames])
    if kind == "shuffled":
        order = np.concatenate([pieces[n] for n in random.permutation(len(pieces))])
        return views.taken(order)
    shifts = np.repeat([random.integers(-6, 6) for _ in pieces], [*map(len, pieces)])
    pitch = np.empty_like(views.pitch)
    for shift in np.unique(shifts):
        pitch[:, shifts == shift] = views.raised(int(shift))[:, shifts == shift]
    return Views(pitch, views.rhythm, views.rate)


def _best_score(views: Views, search: SearchSettings, start: int) -> float:
    pairs = peaks(views, search, start, start + search.window)
    if not len(pairs):
        return -math.inf
    best = best_distinct(pairs, most=_BEST)
    candidates = refine(views, best, search)
    return float(candidates.score.max(initial=-math.inf))


def fitted(maxima: NDArray[np.float64], stretches: float) -> Null:
    """Fit the null to the best scores of some sections, out of ``stretches`` in the recording."""
    maxima = maxima[np.isfinite(maxima)]
    if len(maxima) < 2:
        return Null(math.inf, 1.0, stretches)
    scale = max(float(maxima.std(ddof=1)) * math.sqrt(6) / math.pi, _LEAST_SCALE)
    return Null(float(maxima.mean()) - _EULER * scale, scale, stretches)
