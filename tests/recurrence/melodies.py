"""Small pieces whose recurrences are known."""

import numpy as np
from numpy.typing import NDArray

from leitmotif.recurrence.search.settings import SearchSettings

RATE = 16_000
NOTE = 0.25
"""Seconds."""
SEARCH = SearchSettings(lengths=(2.0,), min_lag=2.0, texture_seconds=0.5)

Samples = NDArray[np.float32]


def tones(pitches: list[int], note: float = NOTE) -> Samples:
    """One note after the other, four partials each, with a decay."""
    time = np.arange(round(note * RATE)) / RATE
    envelope = np.exp(-3 * time / note) * np.minimum(1, time / 0.005)
    sounds = [
        sum(
            0.6**n * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * (n + 1) * time)
            for n in range(4)
        )
        * envelope
        for pitch in pitches
    ]
    return (0.2 * np.concatenate(sounds)).astype(np.float32)


def walk(notes: int, seed: int) -> list[int]:
    """A melody that wanders by semitones it has not just used; no two seeds alike."""
    random = np.random.default_rng(seed)
    return [int(pitch) for pitch in random.integers(52, 80, notes)]


def piece(*, transposition: int = 0, tempo: float = 1.0, returns: bool = True) -> Samples:
    """Motif at 4 s (2 s long), its recurrence at 14 s; everything else is heard once."""
    motif = walk(8, 1)
    later = [pitch + transposition for pitch in motif] if returns else walk(8, 2)
    parts = [tones(walk(16, 3)), tones(motif), tones(walk(32, 4))]
    return np.concatenate([*parts, tones(later, NOTE * tempo), tones(walk(16, 5))])
