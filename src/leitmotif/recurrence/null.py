"""How well the best suggestion scores for music of the same texture in which nothing returns.

Two surrogates are made of a recording, and each keeps what the other destroys:

``shuffled``
    blocks of ``texture_seconds`` in random order: texture, harmony and loops stay, longer sequences
    do not;
``transposed``
    blocks of half that length in their order, each raised or lowered at random: rhythm and
    dynamics stay, melodies and progressions do not. Without it, music whose rhythm alone returns
    would pass. The blocks are short because two that are raised alike still match.

The engine searches stretches of the surrogate, drawn at random and each compared with all that
follows it, for the best score. A Gumbel distribution (Gumbel 1958), fitted to these maxima by its
moments and extrapolated to the length of the recording, gives the family-wise p-value: how often
the best suggestion of such a surrogate scores as high. Of the two p-values the larger one counts,
so both nulls have to be rejected (Berger 1982).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leitmotif.recurrence.refine import refine
from leitmotif.recurrence.search import best_distinct, peaks
from leitmotif.recurrence.settings import SearchSettings
from leitmotif.recurrence.views import Array, Views

Surrogate = Literal["shuffled", "transposed"]
SURROGATES: tuple[Surrogate, ...] = ("shuffled", "transposed")

_BLOCKS: dict[Surrogate, float] = {"shuffled": 1.0, "transposed": 0.5}
"""Mean length of the blocks, in multiples of ``texture_seconds``."""
_STRETCHES = 16
"""Maxima from which the distribution is estimated, per surrogate."""
_BEST = 8
"""Seeds of each length in a stretch that are refined: the best one afterwards is among them."""
_EULER = 0.5772156649015329
_LEAST_SCALE = 0.01
"""Of the Gumbel distribution: a surrogate whose maxima all agree says little about its tail."""


@dataclass(frozen=True)
class Null:
    """The distribution of the best score of a recording in which nothing returns."""

    location: float
    scale: float
    """Gumbel parameters for one stretch."""
    stretches: float
    """Stretches in the recording."""

    def p(self, scores: Array) -> NDArray[np.float64]:
        """Chance that the best suggestion of such a recording scores as high or higher."""
        rate = self.expected(scores)
        return np.maximum(-np.expm1(-rate), np.finfo(np.float64).tiny)

    def expected(self, scores: Array) -> NDArray[np.float64]:
        """Number of stretches that are expected to score as high or higher."""
        standard = (scores - self.location) / self.scale
        return np.asarray(self.stretches * np.exp(-np.clip(standard, -50, 700)))


def estimate(views: Views, search: SearchSettings) -> list[Null]:
    """Estimate the null of each surrogate; without room for a single pair, an empty list."""
    random = np.random.default_rng([search.seed, views.frames])
    if views.frames < search.searched[0] + search.least_lag:
        return []
    # A recording shorter than a stretch is one.
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
    """Destroy what returns in a recording, and keep its texture or its rhythm."""
    block = max(2, round(search.texture_seconds * search.rate * _BLOCKS[kind]))
    # Blocks differ in length, so that they do not line up in a loop's period.
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
    found = peaks(views, search, start, start + search.window)
    if not len(found):
        return -math.inf
    best = best_distinct(found, most=_BEST)
    candidates = refine(views, best, search)
    return float(candidates.score.max(initial=-math.inf))


def fitted(maxima: NDArray[np.float64], stretches: float) -> Null:
    """Fit the null to the best scores of some stretches, of which a recording has ``stretches``."""
    maxima = maxima[np.isfinite(maxima)]
    if len(maxima) < 2:
        return Null(math.inf, 1.0, stretches)
    scale = max(float(maxima.std(ddof=1)) * math.sqrt(6) / math.pi, _LEAST_SCALE)
    return Null(float(maxima.mean()) - _EULER * scale, scale, stretches)
