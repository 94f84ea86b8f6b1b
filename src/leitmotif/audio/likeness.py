"""Tracks that may be one take in different encodings, told by their chroma.

A lossy codec, another sample rate or bit depth, and a gain hardly change chroma, and shift it by a
few frames at most. Two performances of one piece, or two pieces of one style, do not agree frame by
frame over their whole length.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

SIMILAR = 0.8
"""Correlation from which two tracks are reported. Between encodings of one take it was 0.86 or
more, between pieces of the organism 0.70 or less, and between clips of MusicGen 0.3 or less."""
_COARSE = 0.6
"""Correlation at five frames a second, without a shift, below which two tracks are not compared
closely."""
_COARSE_FRAMES = 10
_SMOOTHING = 5
"""Frames over which chroma is averaged: 0.1 s."""
_SHIFT = 5
"""Frames by which one may start later than the other: 0.1 s, more than any codec's delay."""
_LENGTH = 25
"""Frames by which lengths may differ: 0.5 s of padding."""
_LEAST = 100
"""Frames below which nothing is said: 2 s."""

Chroma = NDArray[np.floating]


@dataclass(frozen=True)
class TrackLikeness:
    """Two tracks that are alike frame by frame."""

    track_id: str
    other: str
    """The earlier one."""
    similarity: float
    """Correlation of their chroma at the best shift."""


def near_duplicates(chromas: Mapping[str, Chroma]) -> Iterator[TrackLikeness]:
    """Compare the chroma [12, frames] of tracks of nearly equal length, by track id, in order."""
    names = list(chromas)
    fine = [_smoothed(chroma) for chroma in chromas.values()]
    coarse = [_coarse(chroma) for chroma in fine]
    for later, name in enumerate(names):
        for earlier in range(later):
            first, second = fine[later], fine[earlier]
            lengths = first.shape[1], second.shape[1]
            if min(lengths) < _LEAST or abs(lengths[0] - lengths[1]) > _LENGTH:
                continue
            if _correlation(coarse[later], coarse[earlier], 0) < _COARSE:
                continue
            shifts = range(-_SHIFT, _SHIFT + 1)
            similarity = max(_correlation(first, second, shift) for shift in shifts)
            if similarity >= SIMILAR:
                yield TrackLikeness(name, names[earlier], round(similarity, 3))


def _smoothed(chroma: Chroma) -> NDArray[np.float64]:
    wide = np.asarray(chroma, np.float64)
    return np.asarray(uniform_filter1d(wide, _SMOOTHING, axis=1))


def _coarse(chroma: NDArray[np.float64]) -> NDArray[np.float64]:
    whole = chroma[:, : chroma.shape[1] // _COARSE_FRAMES * _COARSE_FRAMES]
    return np.asarray(whole.reshape(12, -1, _COARSE_FRAMES).mean(axis=2))


def _correlation(chroma: NDArray[np.float64], other: NDArray[np.float64], shift: int) -> float:
    """Correlation over the frames that both have, ``other`` coming ``shift`` frames earlier."""
    chroma, other = chroma[:, max(0, shift) :], other[:, max(0, -shift) :]
    frames = min(chroma.shape[1], other.shape[1])
    first = (chroma[:, :frames] - chroma[:, :frames].mean(axis=1, keepdims=True)).ravel()
    second = (other[:, :frames] - other[:, :frames].mean(axis=1, keepdims=True)).ravel()
    size = float(np.sqrt(first @ first) * np.sqrt(second @ second))
    return float(first @ second) / size if size > 0 else 0.0
