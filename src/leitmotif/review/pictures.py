"""What the page draws: outlines of waveforms, chroma, and a track's self-similarity."""

import math
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from safetensors import SafetensorError

from leitmotif.errors import ReviewError
from leitmotif.files.restoring import how_to_restore
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tensors import open_tensors

PEAK_SAMPLES = 40
"""Samples for each step of an outline: 1.25 ms at 32 kHz."""

MATRIX_SIZE = 384
_EMBEDDED_SECONDS = 1.0
"""Neighbouring frames that are compared together, which turns repetitions into diagonals."""

PROFILE_SIZE = 600
SEMITONES = range(-5, 7)
"""Transpositions, as far as chroma tells them apart; an octave is none."""

_LEAST_LAG_SECONDS = 2.0
"""Between two moments that are named as alike; nearer ones sound alike in most music."""

_NAMED = 3
"""Pairs of moments that a picture names."""
_FAINT_DB, _CLEAR_DB = 50.0, 25.0
"""Below the track's loudest frame: chroma fades from full at the latter to nothing at the former,
for that of near-silence is the chroma of noise."""


def outline(samples: NDArray[np.int16], step: int = PEAK_SAMPLES) -> NDArray[np.int8]:
    """Lowest and highest of every ``step`` samples, scaled to 8 bits: [n] -> [ceil(n/step), 2]."""
    padded = np.pad(samples, (0, -len(samples) % step), mode="edge")
    steps = padded.reshape(-1, step)
    return (np.stack([steps.min(axis=1), steps.max(axis=1)], axis=1) >> 8).astype(np.int8)


def heard(chroma: NDArray[np.float32], energy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Chroma [12, frames] weighted by loudness; ``energy`` [frames] is in dBFS."""
    below = energy.max() - energy
    weight = np.clip((_FAINT_DB - below) / (_FAINT_DB - _CLEAR_DB), 0, 1)
    return np.asarray(chroma * weight, np.float32)


class PicturedTrack(Protocol):
    """A track as its self-similarity sees it."""

    @property
    def heard(self) -> NDArray[np.float32]:
        """Chroma weighted by loudness, [12, frames]."""

    @property
    def seconds(self) -> float:
        """Duration of these frames."""


class TrackFeatures:
    """The chroma and energy that the features stage stored of a track."""

    def __init__(self, folder: Path, track: ManifestTrack) -> None:
        path = folder / f"{track.track_id}.safetensors"
        try:
            with open_tensors(path, "numpy") as file:
                header = file.metadata() or {}
                self.frame_rate = int(header["frame_rate"])
                self.chroma: NDArray[np.float32] = file.get_tensor("chroma")
                self.energy: NDArray[np.float32] = file.get_tensor("energy")
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ReviewError(
                f"{path} cannot be read: chroma and self-similarity are not shown",
                found=error,
                fix=how_to_restore("features"),
            ) from error
        if header.get("audio_sha256") != track.sha256:
            raise ReviewError(
                f"{path} is of another recording: chroma and self-similarity are not shown",
                found=f"audio SHA-256 {header.get('audio_sha256')}",
                expected=track.sha256,
                fix="run `dvc repro features`",
            )

    @cached_property
    def heard(self) -> NDArray[np.float32]:
        """Chroma weighted by loudness, [12, frames]."""
        return heard(self.chroma, self.energy)

    @property
    def frames(self) -> int:
        """Frames that the features cover."""
        return int(self.chroma.shape[1])

    @property
    def seconds(self) -> float:
        """Duration that the features cover."""
        return self.frames / self.frame_rate

    def excerpt(self, start_second: float, seconds: float) -> tuple[int, NDArray[np.uint8]]:
        """Chroma of the frames that cover a section, in 256 steps: first frame, [12, frames]."""
        first = max(0, int(start_second * self.frame_rate))
        last = min(self.chroma.shape[1], math.ceil((start_second + seconds) * self.frame_rate))
        return first, np.round(self.heard[:, first:last] * 255).astype(np.uint8)


def profile(features: TrackFeatures) -> NDArray[np.uint8]:
    """Loudness of a track in at most PROFILE_SIZE equal steps, each as loud as its loudest frame.

    0 is what chroma fades to nothing at, 255 the track's loudest frame.
    """
    frames = len(features.energy)
    edges = np.linspace(0, frames, min(frames, PROFILE_SIZE) + 1).astype(int)
    loudest = np.maximum.reduceat(features.energy, edges[:-1])
    below = (features.energy.max() - loudest) / _FAINT_DB
    return np.round(255 * np.clip(1 - below, 0, 1)).astype(np.uint8)


def likeness(
    features: TrackFeatures, motif: Span, recurrence: Span, sample_rate: int
) -> dict[int, float]:
    """Similarity of two windows' chroma by the semitones that the motif is moved up, -1 to 1.

    It is the cosine over all frames, the recurrence stretched to the motif's length.
    """

    def chroma(span: Span, frames: int | None = None) -> NDArray[np.float32]:
        ends = (span.start_sample / sample_rate, (span.start_sample + span.samples) / sample_rate)
        first, last = (round(second * features.frame_rate) for second in ends)
        places = np.linspace(first, max(first, last - 1), frames or max(1, last - first))
        taken = features.heard[:, np.clip(np.round(places).astype(int), 0, features.frames - 1)]
        return np.asarray(taken - taken.mean(axis=0), np.float32)

    earlier = chroma(motif)
    later = chroma(recurrence, earlier.shape[1])
    length = max(float(np.linalg.norm(earlier) * np.linalg.norm(later)), 1e-9)
    return {
        semitones: float(np.sum(np.roll(earlier, semitones, axis=0) * later)) / length
        for semitones in SEMITONES
    }


def most_alike(
    features: TrackFeatures, start_second: float, seconds: float
) -> list[tuple[float, float, float]]:
    """Pairs of moments that are most alike, the later one in a section: what a picture shows.

    Each is the earlier moment, the later one, in seconds, and their similarity, -1 to 1; the best
    first. Nothing is transposed. Moments near a pair that was named are left out.
    """
    moments = _embedded(_pooled(features), _width(features))
    step = features.seconds / len(moments)
    places = np.arange(len(moments)) * step
    similarity = moments @ moments.T
    here = (places >= start_second) & (places < start_second + seconds)
    similarity[:, ~here] = -1
    similarity[places[:, None] > places[None, :] - _LEAST_LAG_SECONDS] = -1
    named = []
    for _ in range(_NAMED):
        earlier, later = np.unravel_index(int(np.argmax(similarity)), similarity.shape)
        value = float(similarity[earlier, later])
        if value <= 0:
            break
        named.append((float(places[earlier]), float(places[later]), value))
        near = [np.abs(places - places[at]) < _LEAST_LAG_SECONDS for at in (earlier, later)]
        similarity[np.ix_(*near)] = -1
    return named


def self_similarity(features: PicturedTrack, transposition: int) -> NDArray[np.uint8]:
    """Cosine similarity of each moment of a track with each other, in 256 steps: [n, n].

    Row i, column j compares moment i, moved up by ``transposition`` semitones, with moment j where
    j > i, so that a transposed return shows; where j < i nothing is moved. n is at most
    MATRIX_SIZE. In each half the scale runs from its median to nearly its largest value.
    """
    pooled, width = _pooled(features), _width(features)
    moments = _embedded(pooled, width)
    moved = _embedded(np.roll(pooled, transposition, axis=0), width)
    below = np.tri(len(moments), k=-1, dtype=bool)
    return np.where(below, _scaled(moments @ moments.T), _scaled(moved @ moments.T))


def _pooled(features: PicturedTrack) -> NDArray[np.float32]:
    """Mean chroma of at most MATRIX_SIZE equal stretches, less its mean over pitch: [12, n]."""
    heard = features.heard
    frames = heard.shape[1]
    edges = np.linspace(0, frames, min(frames, MATRIX_SIZE) + 1).astype(int)
    pooled = np.add.reduceat(heard, edges[:-1], axis=1) / np.diff(edges)
    return np.asarray(pooled - pooled.mean(axis=0), np.float32)


def _width(features: PicturedTrack) -> int:
    """How many of the pooled moments are compared together."""
    size = min(features.heard.shape[1], MATRIX_SIZE)
    return max(1, round(_EMBEDDED_SECONDS * size / features.seconds))


def _scaled(similarity: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = np.quantile(similarity, [0.5, 0.995])
    scaled = (similarity - low) / max(high - low, 1e-6)
    return np.round(np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def _embedded(pooled: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Each moment with the ``width`` around it, at unit length: [12, n] -> [n, 12 * width]."""
    padded = np.pad(pooled, ((0, 0), (width // 2, width - 1 - width // 2)))
    stacked = sliding_window_view(padded, width, axis=1).transpose(1, 0, 2).reshape(-1, 12 * width)
    length = np.linalg.norm(stacked, axis=1, keepdims=True)
    return np.asarray(stacked / np.maximum(length, 1e-9), np.float32)
