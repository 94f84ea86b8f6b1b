"""Share of two windows' similarity that is due to texture, not to their sequence of events.

A loop, a drum pattern, a trill or a held chord resembles itself at any offset; a melody does not.
Therefore one window of a pair is shifted against the other. The similarity that remains is due to
texture.
"""

import numpy as np
from numpy.typing import NDArray

from leitmotif.recurrence.search.pairs import Indices, WindowPairs
from leitmotif.recurrence.search.views import Array, Views

_OFFSETS = np.array([eighth / 8 for eighth in range(-8, 9) if eighth])
"""Offsets as shares of the window. A loop whose period is at most a window matches at one of
them."""


def texture_share(views: Views, pairs: WindowPairs) -> NDArray[np.float64]:
    """Similarity that remains when a window is moved by up to its length, relative to the pair's.

    Each window is moved in turn while the other stays. The smaller of the two best similarities
    counts: a motif that is stated twice in a row is not a loop, a motif that is stated many times
    is. Offsets at which the two windows overlap are skipped.

    Parameters
    ----------
    views
        Of the recording.
    pairs
        n pairs of windows.

    Returns
    -------
    ndarray of float64
        [n], from 0 to 1.
    """
    share = np.array([_share(views, pairs, n) for n in range(len(pairs))], np.float64)
    return np.clip(share, 0.0, 1.0)


def _share(views: Views, pairs: WindowPairs, n: int) -> float:
    frames, tempo = int(pairs.frames[n]), float(pairs.tempo[n])
    motif, recurrence = int(pairs.motif[n]), int(pairs.recurrence[n])
    raised = views.raised(int(pairs.transposition[n]))
    aligned, *by_motif = _motif_moved(raised, views.pitch, motif, recurrence, frames, tempo)
    if aligned <= 0:
        return 1.0
    _, *by_recurrence = _recurrence_moved(raised, views.pitch, motif, recurrence, frames, tempo)
    motif_apart, recurrence_apart = max(by_motif) / aligned, max(by_recurrence) / aligned
    # At the edge of the recording a window has no room to move and to show a loop.
    if motif < frames and recurrence < motif + 2 * frames:
        return float(recurrence_apart)
    if recurrence + frames * (1 + tempo) > views.frames and recurrence < motif + 2 * frames:
        return float(motif_apart)
    return float(min(motif_apart, recurrence_apart))


def _motif_moved(
    raised: Array, pitch: Array, motif: int, recurrence: int, frames: int, tempo: float
) -> NDArray[np.float64]:
    """Similarity of the unmoved windows, then with the motif's window moved by each offset.

    It is 0 if the windows overlap or a window leaves the recording.
    """
    path = np.arange(frames)
    later = np.round(recurrence + path * tempo).astype(np.intp)
    starts = motif + _moves(frames)
    room = (starts >= 0) & (starts + frames <= recurrence) & (later[-1] < pitch.shape[1])
    similarity = np.zeros(len(starts))
    if room.any():
        first, last = starts[room].min(), starts[room].max() + frames
        alike = raised[:, first:last].T @ pitch[:, later]
        similarity[room] = alike[starts[room, np.newaxis] - first + path, path].sum(axis=1)
    return similarity


def _recurrence_moved(
    raised: Array, pitch: Array, motif: int, recurrence: int, frames: int, tempo: float
) -> NDArray[np.float64]:
    """The same as ``_motif_moved``, with the recurrence's window moved."""
    path = np.arange(frames)
    starts = recurrence + _moves(frames)
    later = np.round(starts[:, np.newaxis] + path * tempo).astype(np.intp)
    room = (starts >= motif + frames) & (later[:, -1] < pitch.shape[1])
    similarity = np.zeros(len(starts))
    if room.any():
        later = later[room]
        first, last = later.min(), later.max() + 1
        alike = raised[:, motif : motif + frames].T @ pitch[:, first:last]
        similarity[room] = alike[path, later - first].sum(axis=1)
    return similarity


def _moves(frames: int) -> Indices:
    return np.r_[0, np.round(_OFFSETS * frames)].astype(np.intp)
