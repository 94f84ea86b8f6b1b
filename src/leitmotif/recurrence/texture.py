"""How much of two windows' similarity is due to texture and not to what happens in them, in order.

A loop, a drum pattern, a trill or a held chord sounds like itself at any offset; a melody does not.
So one window of a pair is shifted against the other, and the similarity that remains is texture's.
"""

import numpy as np
from numpy.typing import NDArray

from leitmotif.recurrence.pairs import Indices, Pairs
from leitmotif.recurrence.views import Array, Views, transposed

_OFFSETS = np.array([eighth / 8 for eighth in range(-8, 9) if eighth])
"""Shares of the window: a loop whose period is at most a window meets itself again among them."""


def texture_share(views: Views, pairs: Pairs) -> NDArray[np.float64]:
    """Similarity that remains when either window is moved by up to its length, over the pair's.

    [n] in 0 to 1. Each window is moved in turn, the other one stays, and of the best similarity to
    be had by moving the one and by moving the other, the smaller counts: a motif that is stated
    twice in a row is no loop, one that is stated over and over is. Places where the two windows
    overlap are not looked at.
    """
    share = np.zeros(len(pairs))
    for shift in np.unique(pairs.transposition):
        raised = transposed(views.pitch, int(shift))
        for n in np.flatnonzero(pairs.transposition == shift):
            share[n] = _share(views, raised, pairs, int(n))
    return np.clip(share, 0.0, 1.0)


def _share(views: Views, raised: Array, pairs: Pairs, n: int) -> float:
    frames, tempo = int(pairs.frames[n]), float(pairs.tempo[n])
    motif, recurrence = int(pairs.motif[n]), int(pairs.recurrence[n])
    path = np.arange(frames)
    moves = np.round(_OFFSETS * frames).astype(np.intp)

    def similarity(motif: Indices, recurrence: Indices) -> NDArray[np.float64]:
        """Of the windows starting at each of [m]; 0 where they overlap or leave the recording."""
        later = np.round(recurrence[:, None] + path * tempo).astype(np.intp)
        room = (motif >= 0) & (later[:, -1] < views.frames) & (recurrence >= motif + frames)
        earlier, later = motif[room, None] + path, later[room]
        found = np.zeros(len(motif))
        found[room] = np.einsum("dmn,dmn->m", raised[:, earlier], views.pitch[:, later]) / frames
        return found

    here = np.array([motif]), np.array([recurrence])
    aligned = float(similarity(*here)[0])
    if aligned <= 0:
        return 1.0
    by_motif = float(similarity(motif + moves, recurrence + 0 * moves).max())
    by_recurrence = float(similarity(motif + 0 * moves, recurrence + moves).max())
    # At the recording's edge a window has nowhere to go that would show a loop.
    if motif < frames and recurrence < motif + 2 * frames:
        return by_recurrence / aligned
    if recurrence + frames * (1 + tempo) > views.frames and recurrence < motif + 2 * frames:
        return by_motif / aligned
    return min(by_motif, by_recurrence) / aligned
