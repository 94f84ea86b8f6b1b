"""An order in which what is new comes before what repeats the list.

A motif that sounds ten times makes 45 pairs, and they are all alike: by likeness alone they would
fill the list before another motif is shown. So each pair costs what the pairs above it have shown
of it (maximal marginal relevance, Carbonell & Goldstein 1998).
"""

import numpy as np
from numpy.typing import NDArray

from leitmotif.recurrence.pairs import Indices

REPETITION_COST = 0.05
"""Preference that a pair loses for each pair above it with which it shares a window."""
LENGTH_COST = 0.006
"""Preference that a pair loses for each pair above it of the same length: how long the motifs of
this recording are is not known, so each length gets its turn."""


def varied(
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    preference: NDArray[np.float64],
    length: NDArray[np.intp],
    *,
    most: int,
) -> Indices:
    """Choose at most ``most`` pairs of windows one by one, always the most preferred of those left.

    ``starts`` and ``ends`` [n, 2] are of the motif and the recurrence; ``length`` [n] tells which
    pairs are of one length. Two pairs share a window to the degree of the largest intersection over
    union of one's windows with the other's. Returns the indices in order.
    """
    left = np.array(preference, np.float64)
    open_ = np.ones(len(left), bool)
    chosen: list[int] = []
    for _ in range(min(most, len(left))):
        best = int(np.where(open_, left, -np.inf).argmax())
        chosen.append(best)
        open_[best] = False
        left -= REPETITION_COST * _shared(starts, ends, best)
        left -= LENGTH_COST * (length == length[best])
    return np.asarray(chosen, np.intp)


def _shared(
    starts: NDArray[np.float64], ends: NDArray[np.float64], one: int
) -> NDArray[np.float64]:
    """[n]: intersection over union of the two most alike windows of each pair and this one's."""
    # [n, 2, 2]: windows of every pair, windows of this one.
    begin, finish = starts[one], ends[one]
    both = np.minimum(ends[:, :, None], finish) - np.maximum(starts[:, :, None], begin)
    either = np.maximum(ends[:, :, None], finish) - np.minimum(starts[:, :, None], begin)
    return np.asarray((np.maximum(both, 0) / either).max((1, 2)))
