"""Seeds: the pairs of windows of one length that sound most alike, in any key and tempo.

The similarity of two windows is the mean over their frames of the inner product of the pitch views.
Every pair is compared, but block by block and with running sums along the diagonals (Foote 1999;
Müller & Clausen 2007 on transposition), so memory is linear in the length of the recording.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leitmotif.recurrence.settings import Search
from leitmotif.recurrence.views import Array, Views, transposed

Indices = NDArray[np.intp]

_BLOCK = 64
"""Rows that are compared at a time."""
_PEAK = 3
"""Frames to either side over which a pair must be the most similar in its row."""
_SEEDS_PER_MINUTE = 45
_LEAST_SEEDS = 40
_CANDIDATES_PER_SEED = 45
_SEED_OVERLAP = 0.4
"""Intersection over union of both windows from which two pairs are one seed."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of windows of one length, one entry each; frames of the grid."""

    motif: Indices
    """First frame of the motif window."""
    recurrence: Indices
    """First frame of the recurrence window."""
    transposition: Indices
    """Semitones by which the recurrence lies higher."""
    tempo: Array
    """Frames of recurrence per frame of motif."""
    similarity: Array

    def __len__(self) -> int:
        return len(self.motif)

    def taken(self, which: NDArray[np.bool_] | Indices) -> "Pairs":
        """Return some of the pairs."""
        return Pairs(
            self.motif[which],
            self.recurrence[which],
            self.transposition[which],
            self.tempo[which],
            self.similarity[which],
        )

    @staticmethod
    def joined(parts: "list[Pairs]") -> "Pairs":
        """Concatenate pairs."""
        if not parts:
            none, nothing = np.zeros(0, np.intp), np.zeros(0, np.float32)
            return Pairs(none, none, none, nothing, nothing)
        return Pairs(
            np.concatenate([part.motif for part in parts]),
            np.concatenate([part.recurrence for part in parts]),
            np.concatenate([part.transposition for part in parts]),
            np.concatenate([part.tempo for part in parts]),
            np.concatenate([part.similarity for part in parts]),
        )


def seeds(views: Views, search: Search) -> Pairs:
    """Find the most similar pairs of a recording, best first, overlapping ones merged."""
    most = max(_LEAST_SEEDS, round(_SEEDS_PER_MINUTE * views.frames / views.rate / 60))
    keep = most * _CANDIDATES_PER_SEED
    best = Pairs.joined([])
    for start in range(0, views.frames - search.window, _BLOCK):
        best = Pairs.joined([best, peaks(views, search, start, start + _BLOCK)])
        if len(best) > keep:
            best = best.taken(np.argpartition(-best.similarity, keep)[:keep])
    best = best.taken(np.lexsort((best.recurrence, best.motif, -best.similarity)))
    lengths = np.stack([np.full(len(best), search.window), search.window * best.tempo], axis=1)
    starts = np.stack([best.motif, best.recurrence], axis=1)
    return best.taken(distinct(starts, starts + lengths, overlap=_SEED_OVERLAP, most=most))


def peaks(views: Views, search: Search, start: int, stop: int) -> Pairs:
    """Pairs whose motif starts in rows [start, stop) and that are the best nearby in their row."""
    similarity, shift, tempo = _compare(views, search, start, stop)
    if not similarity.size:
        return Pairs.joined([])
    padded = np.pad(similarity, ((0, 0), (_PEAK, _PEAK)), constant_values=-np.inf)
    nearby = np.lib.stride_tricks.sliding_window_view(padded, 2 * _PEAK + 1, axis=1).max(-1)
    rows, columns = np.nonzero((similarity >= nearby) & (similarity > 0))
    return Pairs(
        (rows + start).astype(np.intp),
        (columns + start + search.least_lag).astype(np.intp),
        np.asarray(search.shifts, np.intp)[shift[rows, columns]],
        np.asarray(search.tempi, np.float32)[tempo[rows, columns]],
        similarity[rows, columns],
    )


def _compare(
    views: Views, search: Search, start: int, stop: int
) -> tuple[Array, NDArray[np.int8], NDArray[np.int8]]:
    """Best similarity over keys and tempi of each row's window with each later one.

    Returns [rows, columns] of similarity, and the indices of the key and the tempo; column c is the
    window that starts c + least lag frames after ``start``. Pairs that overlap or exceed the
    recording have similarity -inf.
    """
    window, first = search.window, start + search.least_lag
    rows = min(stop, views.frames - window + 1) - start
    columns = views.frames - first
    if rows <= 0 or columns <= window:
        empty = np.zeros((0, 0), np.int8)
        return np.zeros((0, 0), np.float32), empty, empty
    # Raised motifs: [keys, dims, rows + window - 1].
    block = views.pitch[:, start : start + rows + window - 1]
    raised = np.stack([transposed(block, shift) for shift in search.shifts])
    best = np.full((rows, columns), -np.inf, np.float32)
    shift = np.zeros((rows, columns), np.int8)
    tempo = np.zeros((rows, columns), np.int8)
    for index, ratio in enumerate(search.tempi):
        later = views.pitch[:, _stretched(first, views.frames, ratio)]
        if later.shape[1] < window:
            continue
        of_keys = _diagonal_means(raised, later, rows, window)  # [keys, rows, stretched columns]
        key = of_keys.argmax(0).astype(np.int8)
        value = np.take_along_axis(of_keys, key[None].astype(np.intp), 0)[0]
        # Back from the stretched axis: column c starts at stretched frame c / ratio.
        back = np.round(np.arange(columns) / ratio).astype(np.intp)
        inside = back < value.shape[1]
        back = back[inside]
        better = np.zeros((rows, columns), bool)
        better[:, inside] = value[:, back] > best[:, inside]
        padded = (np.zeros_like(best), np.zeros_like(shift))
        padded[0][:, inside], padded[1][:, inside] = value[:, back], key[:, back]
        best[better], shift[better], tempo[better] = padded[0][better], padded[1][better], index
    lag = np.arange(columns)[None] + search.least_lag - np.arange(rows)[:, None]
    best[lag < max(search.least_lag, window)] = -np.inf
    return best, shift, tempo


def _stretched(first: int, frames: int, ratio: float) -> Indices:
    """Frames that a motif's frames fall on if it starts at ``first`` and runs ``ratio`` as long."""
    count = int((frames - 1 - first) / ratio) + 1
    return first + np.round(np.arange(count) * ratio).astype(np.intp)


def _diagonal_means(raised: Array, later: Array, rows: int, window: int) -> Array:
    """Mean of frame similarities along diagonals, [keys, rows, columns - window + 1].

    ``raised`` [keys, dims, rows + window - 1], ``later`` [dims, columns].
    """
    keys, _, height = raised.shape
    width = later.shape[1]
    frames = np.matmul(raised.transpose(0, 2, 1), later)  # [keys, height, width]
    total = np.zeros((keys, height + 1, width + 1), np.float32)
    for row in range(height):
        np.add(total[:, row, :-1], frames[:, row], out=total[:, row + 1, 1:])
    means = total[:, window:, window:] - total[:, :-window, :-window]
    means /= window
    return means[:, :rows]


def distinct(
    starts: NDArray[np.generic], ends: NDArray[np.generic], *, overlap: float, most: int
) -> Indices:
    """Go through pairs of windows, best first, and drop those that repeat a better one.

    ``starts`` and ``ends`` are [n, 2], of the motif and the recurrence. A pair repeats another if
    both windows have an intersection over union of ``overlap`` or more. Returns at most ``most``
    indices.
    """
    starts, ends = np.asarray(starts, np.float64), np.asarray(ends, np.float64)
    left = np.ones(len(starts), bool)
    kept: list[int] = []
    for index in _remaining(left):
        kept.append(index)
        if len(kept) == most:
            break
        both = np.minimum(ends, ends[index]) - np.maximum(starts, starts[index])
        either = np.maximum(ends, ends[index]) - np.minimum(starts, starts[index])
        left &= ~np.all(both >= overlap * either - 1e-9, axis=1)
    return np.asarray(kept, np.intp)


def _remaining(left: NDArray[np.bool_]) -> Iterator[int]:
    """Indices that are still true when they are reached."""
    index = 0
    while index < len(left):
        following = int(left[index:].argmax()) + index
        if not left[following]:
            return
        yield following
        index = following + 1
