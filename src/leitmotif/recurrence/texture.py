"""How much of two windows' similarity is due to texture and not to what happens in them, in order.

A loop, a drum pattern, a trill or a held chord sounds like itself at any offset; a melody does not.
So one window of a pair is shifted against the other, and the similarity that remains is texture's.
"""

import numpy as np
from numpy.typing import NDArray

from leitmotif.recurrence.refine import Candidates
from leitmotif.recurrence.views import Array, Views, transposed

_OFFSETS = tuple(eighth / 8 for eighth in range(-8, 9) if eighth)
"""Shares of the window: a loop whose period is at most a window meets itself again among them."""


def texture_share(views: Views, candidates: Candidates) -> NDArray[np.float64]:
    """Similarity that remains when either window is moved by up to its length, over the pair's.

    [n] in 0 to 1. Each window is moved in turn, the other one stays, and of the best similarity to
    be had by moving the one and by moving the other, the smaller counts: a motif that is stated
    twice in a row is no loop, one that is stated over and over is. Places where the two windows
    overlap are not looked at.
    """
    pairs = candidates.pairs
    share = np.zeros(len(candidates))
    for shift in np.unique(pairs.transposition):
        raised = transposed(views.pitch, int(shift))
        for n in np.flatnonzero(pairs.transposition == shift):
            share[n] = _share(views, raised, candidates, int(n))
    return np.clip(share, 0.0, 1.0)


def _share(views: Views, raised: Array, candidates: Candidates, n: int) -> float:
    pairs = candidates.pairs
    frames, tempo = int(pairs.frames[n]), float(pairs.tempo[n])
    path = np.arange(frames)

    def similarity(motif: int, recurrence: int) -> float:
        """Of the windows starting there; 0 where they overlap or leave the recording."""
        later = np.round(recurrence + path * tempo).astype(np.intp)
        if motif < 0 or later[-1] >= views.frames or recurrence < motif + frames:
            return 0.0
        return float(np.einsum("dn,dn->", raised[:, motif + path], views.pitch[:, later])) / frames

    motif, recurrence = int(pairs.motif[n]), int(pairs.recurrence[n])
    aligned = similarity(motif, recurrence)
    if aligned <= 0:
        return 1.0
    moves = [round(offset * frames) for offset in _OFFSETS]
    by_motif = max(similarity(motif + move, recurrence) for move in moves)
    by_recurrence = max(similarity(motif, recurrence + move) for move in moves)
    # At the recording's edge a window has nowhere to go that would show a loop.
    if motif < frames and recurrence < motif + 2 * frames:
        return by_recurrence / aligned
    if recurrence + frames * (1 + tempo) > views.frames and recurrence < motif + 2 * frames:
        return by_motif / aligned
    return min(by_motif, by_recurrence) / aligned
