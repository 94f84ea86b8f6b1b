"""Seeds: the most similar pairs of windows, in any key and tempo.

The similarity of two windows is the mean over their frames of the inner product of the pitch views.
Every pair of the shortest windows and every pair of the longest windows is compared, because a long
window hides a short motif, and short windows hide a long motif that varies. The comparison works
block by block and with running sums along the diagonals (Foote 1999; Müller & Clausen 2007 on
transposition), so memory is linear in the length of the recording.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from leitmotif.recurrence.search.pairs import Indices, WindowPairs, distinct
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.recurrence.search.texture import texture_share
from leitmotif.recurrence.search.views import Array, Views

_BLOCK = 64
"""Number of rows that are compared at a time."""
_PEAK = 3
"""A pair must be the most similar in its row within this many frames on either side."""
_SEEDS_PER_MINUTE = 45
_LEAST_SEEDS = 40
_SEEDS_PER_BLOCK = 32
"""Seeds of each length, before those that texture explains are left out."""
_SEED_OVERLAP = 0.4
"""Minimum intersection over union of both windows at which two pairs count as one seed."""


def seeds(views: Views, search: SearchSettings) -> WindowPairs:
    """Find the most similar pairs of a recording for each searched length, and merge overlapping
    pairs.

    Pairs that texture explains are left out of each block, because a loop matches at so many places
    that it would hide everything else.
    """
    most = max(_LEAST_SEEDS, round(_SEEDS_PER_MINUTE * views.frames / views.rate / 60))
    blocks = []
    for start in range(0, views.frames - search.searched[0], _BLOCK):
        block = best_distinct(peaks(views, search, start, start + _BLOCK), most=_SEEDS_PER_BLOCK)
        blocks.append(block.taken(texture_share(views, block) <= search.max_texture))
    return best_distinct(WindowPairs.joined(blocks), most=most)


def best_distinct(pairs: WindowPairs, *, most: int) -> WindowPairs:
    """Merge overlapping pairs and keep the most similar pairs of each length, at most ``most``."""
    kept = []
    for part in _by_length(pairs):
        ordered = part.taken(np.lexsort((part.recurrence, part.motif, -part.similarity)))
        chosen = distinct(ordered.starts, ordered.ends, overlap=_SEED_OVERLAP, most=most)
        kept.append(ordered.taken(chosen))
    return WindowPairs.joined(kept)


def _by_length(pairs: WindowPairs) -> list[WindowPairs]:
    return [pairs.taken(pairs.frames == frames) for frames in np.unique(pairs.frames)]


def peaks(views: Views, search: SearchSettings, start: int, stop: int) -> WindowPairs:
    """Pairs of each searched length that are local maxima of similarity in their row.

    Parameters
    ----------
    views
        Of the recording.
    search
        Settings of the search.
    start, stop
        Range of grid frames in which the motifs start, ``stop`` excluded.
    """
    by_window = []
    for window, similarity, shift, tempo in _compare(views, search, start, stop):
        nearby = maximum_filter1d(similarity, 2 * _PEAK + 1, axis=1, mode="constant", cval=-np.inf)
        rows, columns = np.nonzero((similarity >= nearby) & (similarity > 0))
        by_window.append(
            WindowPairs(
                (rows + start).astype(np.intp),
                (columns + start + search.least_lag).astype(np.intp),
                np.full(len(rows), window, np.intp),
                np.asarray(search.shifts, np.intp)[shift[rows, columns]],
                np.asarray(search.tempi)[tempo[rows, columns]],
                similarity[rows, columns],
            )
        )
    return WindowPairs.joined(by_window)


def _compare(
    views: Views, search: SearchSettings, start: int, stop: int
) -> Iterator[tuple[int, Array, NDArray[np.int8], NDArray[np.int8]]]:
    """Best similarity over keys and tempi of each row's window with each later window.

    For each searched length, yields its frames, the similarity [rows, columns], and the indices of
    key and tempo. Column c is the window that starts c + least lag frames after ``start``. Pairs
    that overlap or exceed the recording have similarity -inf.
    """
    first = start + search.least_lag
    columns = views.frames - first
    fitting = [window for window in search.searched if window <= views.frames - start]
    fitting = [window for window in fitting if window < columns]
    if not fitting:
        return
    # Raised motifs: [keys, dims, rows and the rest of the longest window].
    block = slice(start, stop + fitting[-1] - 1)
    raised = np.stack([views.raised(shift)[:, block] for shift in search.shifts])
    totals = []
    for ratio in search.tempi:
        later = views.pitch[:, _stretched(first, views.frames, ratio)]
        totals.append(_diagonal_totals(raised, later))
    lag = np.arange(columns)[None] + search.least_lag - np.arange(stop - start)[:, None]
    for window in fitting:
        rows = min(stop, views.frames - window + 1) - start
        best = np.full((rows, columns), -np.inf)
        shift = np.zeros((rows, columns), np.int8)
        tempo = np.zeros((rows, columns), np.int8)
        for index, (ratio, total) in enumerate(zip(search.tempi, totals, strict=True)):
            if total.shape[2] <= window:
                continue
            of_keys = (total[:, window:, window:] - total[:, :-window, :-window])[:, :rows]
            key = of_keys.argmax(0).astype(np.int8)
            value = np.take_along_axis(of_keys, key[None].astype(np.intp), 0)[0] / window
            # Back from the stretched axis: column c starts at stretched frame c / ratio.
            back = np.round(np.arange(columns) / ratio).astype(np.intp)
            inside = back < value.shape[1]
            back = back[inside]
            better = np.zeros((rows, columns), bool)
            better[:, inside] = value[:, back] > best[:, inside]
            padded = (np.zeros_like(best), np.zeros_like(shift))
            padded[0][:, inside], padded[1][:, inside] = value[:, back], key[:, back]
            best[better], shift[better], tempo[better] = padded[0][better], padded[1][better], index
        best[lag[:rows] < max(search.least_lag, window)] = -np.inf
        yield window, best, shift, tempo


def _stretched(first: int, frames: int, ratio: float) -> Indices:
    """Frames of a motif that starts at ``first`` and is stretched by ``ratio``."""
    count = int((frames - 1 - first) / ratio) + 1
    return first + np.round(np.arange(count) * ratio).astype(np.intp)


def _diagonal_totals(raised: Array, later: Array) -> Array:
    """Running sums of frame similarities along diagonals, [keys, height + 1, columns + 1].

    ``raised`` [keys, dims, height], ``later`` [dims, columns]. The sum over a window is the
    difference of two entries on one diagonal.
    """
    keys, _, height = raised.shape
    frames = np.matmul(raised.transpose(0, 2, 1), later)  # [keys, height, columns]
    total = np.zeros((keys, height + 1, later.shape[1] + 1))
    for row in range(height):
        np.add(total[:, row, :-1], frames[:, row], out=total[:, row + 1, 1:])
    return total
