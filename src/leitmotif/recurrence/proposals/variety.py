"""An order of the list that shows new motifs before repetitions.

A motif that sounds ten times makes 45 similar pairs. By likeness alone they would fill the list
before another motif appears. Therefore a pair is penalised for what the pairs above it have already
shown (maximal marginal relevance, Carbonell & Goldstein 1998).
"""

import numpy as np
from numpy.typing import NDArray

from leitmotif.recurrence.search.pairs import Indices

REPETITION_COST = 0.05
"""Penalty of a pair for each pair above it with which it shares a window."""
LENGTH_COST = 0.006
"""Penalty of a pair for each pair above it of the same length. The length of the motifs is unknown,
so each length gets its turn."""


def varied(
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    preference: NDArray[np.float64],
    length: NDArray[np.intp],
    *,
    most: int,
) -> Indices:
    """Select pairs of windows one by one, always the most preferred of the remaining pairs.

    Two pairs share a window to the degree of the largest intersection over union between a window
    of one pair and a window of the other.

    Parameters
    ----------
    starts, ends
        [n, 2] of motif and recurrence, in any unit.
    preference
        [n], before penalties.
    length
        [n]; pairs with the same value have the same length.
    most
        Maximum number of pairs to select.

    Returns
    -------
    Indices
        Of the selected pairs, in order.
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
    starts: NDArray[np.float64], ends: NDArray[np.float64], pair: int
) -> NDArray[np.float64]:
    """[n]: largest intersection over union between a window of each pair and a window of pair
    ``one``."""
    # [n, 2, 2]: windows of every pair, windows of pair ``one``.
    begin, finish = starts[pair], ends[pair]
    both = np.minimum(ends[:, :, None], finish) - np.maximum(starts[:, :, None], begin)
    either = np.maximum(ends[:, :, None], finish) - np.minimum(starts[:, :, None], begin)
    return np.asarray((np.maximum(both, 0) / either).max((1, 2)))
