"""Pairs of windows: a motif, and where it may recur."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leitmotif.recurrence.search.views import Array

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class WindowPairs:
    """Pairs of windows, one entry each; frames of the grid."""

    motif: Indices
    """First frame of the motif window."""
    recurrence: Indices
    """First frame of the recurrence window."""
    frames: Indices
    """Length of the motif window. The length of the recurrence is this times the tempo."""
    transposition: Indices
    """Transposition of the recurrence in semitones, positive upwards."""
    tempo: Array
    """Frames of recurrence per frame of motif."""
    similarity: Array
    """Similarity of pitch."""

    def __len__(self) -> int:
        return len(self.motif)

    def taken(self, which: NDArray[np.bool_] | Indices) -> "WindowPairs":
        """Return some of the pairs."""
        return WindowPairs(
            self.motif[which],
            self.recurrence[which],
            self.frames[which],
            self.transposition[which],
            self.tempo[which],
            self.similarity[which],
        )

    @property
    def starts(self) -> NDArray[np.float64]:
        """[n, 2] first frames of motif and recurrence."""
        return np.stack([self.motif, self.recurrence], axis=1).astype(np.float64)

    @property
    def ends(self) -> NDArray[np.float64]:
        """[n, 2] frames at which motif and recurrence end, exclusive."""
        return self.starts + np.stack([self.frames, self.frames * self.tempo], axis=1)

    @staticmethod
    def joined(parts: "list[WindowPairs]") -> "WindowPairs":
        """Concatenate pairs."""
        if not parts:
            none, nothing = np.zeros(0, np.intp), np.zeros(0, np.float64)
            return WindowPairs(none, none, none, none, nothing, nothing)
        return WindowPairs(
            np.concatenate([part.motif for part in parts]),
            np.concatenate([part.recurrence for part in parts]),
            np.concatenate([part.frames for part in parts]),
            np.concatenate([part.transposition for part in parts]),
            np.concatenate([part.tempo for part in parts]),
            np.concatenate([part.similarity for part in parts]),
        )


def distinct(
    starts: NDArray[np.generic], ends: NDArray[np.generic], *, overlap: float, most: int
) -> Indices:
    """Drop pairs of windows that repeat a better pair.

    Parameters
    ----------
    starts, ends
        [n, 2] of motif and recurrence, in any unit, best pair first.
    overlap
        Minimum intersection over union of both windows at which a pair repeats another.
    most
        Maximum number of pairs to keep.

    Returns
    -------
    Indices
        Of the kept pairs, ascending.
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
