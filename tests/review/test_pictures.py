"""What is drawn shows what is there."""

from pathlib import Path

import numpy as np
import pytest

from leitmotif.audio.features import HOP, SAMPLE_RATE
from leitmotif.errors import ReviewError
from leitmotif.review.pictures import (
    MATRIX_SIZE,
    TrackFeatures,
    likeness,
    most_alike,
    outline,
    profile,
    self_similarity,
)
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tensors import write_tensors
from tests.review.conftest import write_track

FRAMES = 1000


@pytest.fixture
def track(tmp_path: Path) -> ManifestTrack:
    return write_track(tmp_path, "track_0", "t.wav", 20)


def features(
    folder: Path, track: ManifestTrack, chroma: np.ndarray, energy: float = -10
) -> TrackFeatures:
    write_tensors(
        folder / "features" / "track_0.safetensors",
        {
            "chroma": chroma.astype(np.float32),
            "energy": np.full(chroma.shape[1], energy, np.float32),
        },
        {"audio_sha256": track.sha256, "frame_rate": "50"},
    )
    return TrackFeatures(folder / "features", track)


def test_an_outline_holds_the_extremes() -> None:
    samples = np.zeros(1000, np.int16)
    samples[45], samples[85] = 32767, -32768
    levels = outline(samples)
    assert levels.shape == (25, 2)
    assert levels[1].tolist() == [0, 127]
    assert levels[2].tolist() == [-128, 0]


@pytest.mark.parametrize("transposition", [0, 3, -4])
def test_a_return_shows_as_a_diagonal(
    tmp_path: Path, track: ManifestTrack, transposition: int
) -> None:
    """A random passage of 4 s at 2 s returns at 12 s, transposed."""
    random = np.random.default_rng(0)
    notes = random.integers(12, size=FRAMES // 10)
    notes[60:80] = (notes[10:30] + transposition) % 12
    chroma = np.zeros((12, FRAMES))
    chroma[np.repeat(notes, 10), np.arange(FRAMES)] = 1
    matrix = self_similarity(features(tmp_path, track, chroma), transposition)
    size = len(matrix)
    assert size == MATRIX_SIZE
    assert matrix.shape == (size, size)
    assert matrix.dtype == np.uint8
    scale = size / 20  # moments a second
    steps = np.arange(round(3 * scale))
    pair = matrix[round(2.5 * scale) + steps, round(12.5 * scale) + steps]
    beside = matrix[round(2.5 * scale) + steps, round(14.7 * scale) + steps]
    assert pair.mean() > 200
    assert beside.mean() < 100


def test_chroma_of_near_silence_fades(tmp_path: Path, track: ManifestTrack) -> None:
    write_tensors(
        tmp_path / "features" / "track_0.safetensors",
        {
            "chroma": np.ones((12, 3), np.float32),
            "energy": np.array([-10, -47.5, -80], np.float32),
        },
        {"audio_sha256": track.sha256, "frame_rate": "50"},
    )
    first, chroma = TrackFeatures(tmp_path / "features", track).excerpt(0, 1)
    assert first == 0
    assert chroma[0].tolist() == [255, 128, 0]


def test_an_excerpt_covers_its_section(tmp_path: Path, track: ManifestTrack) -> None:
    loaded = features(tmp_path, track, np.ones((12, FRAMES)))
    assert loaded.seconds == FRAMES * HOP / SAMPLE_RATE
    first, chroma = loaded.excerpt(1.01, 2.0)
    assert (first, chroma.shape) == (50, (12, 101))
    first, chroma = loaded.excerpt(19.5, 5.0)
    assert (first, chroma.shape) == (975, (12, 25))


def test_a_short_track_has_a_small_matrix(tmp_path: Path, track: ManifestTrack) -> None:
    assert self_similarity(features(tmp_path, track, np.ones((12, 7))), 0).shape == (7, 7)


def test_silence_has_a_matrix_too(tmp_path: Path, track: ManifestTrack) -> None:
    matrix = self_similarity(features(tmp_path, track, np.zeros((12, 100)), energy=-120), 0)
    assert matrix.shape == (100, 100)


def test_features_of_another_recording_are_refused(tmp_path: Path, track: ManifestTrack) -> None:
    other = track.model_copy(update={"sha256": "f" * 64})
    with pytest.raises(ReviewError, match="of another recording"):
        TrackFeatures(tmp_path / "features", other)
    (tmp_path / "features" / "track_0.safetensors").write_bytes(b"torn")
    with pytest.raises(ReviewError, match="cannot be read"):
        TrackFeatures(tmp_path / "features", track)
    (tmp_path / "features" / "track_0.safetensors").unlink()
    with pytest.raises(ReviewError, match="cannot be read") as error:
        TrackFeatures(tmp_path / "features", track)
    assert error.value.fix is not None


def returning(transposition: int) -> np.ndarray:
    """A random passage of 4 s at 2 s returns at 12 s, transposed: chroma [12, frames]."""
    random = np.random.default_rng(0)
    notes = random.integers(12, size=FRAMES // 10)
    notes[60:80] = (notes[10:30] + transposition) % 12
    chroma = np.zeros((12, FRAMES))
    chroma[np.repeat(notes, 10), np.arange(FRAMES)] = 1
    return chroma


@pytest.mark.parametrize("transposition", [0, 3, -4, 6])
def test_the_transposition_of_a_return_is_the_likeliest(
    tmp_path: Path, track: ManifestTrack, transposition: int
) -> None:
    stored = features(tmp_path, track, returning(transposition))
    motif = Span(start_sample=2 * SAMPLE_RATE, samples=4 * SAMPLE_RATE)
    recurrence = Span(start_sample=12 * SAMPLE_RATE, samples=4 * SAMPLE_RATE)
    alike = likeness(stored, motif, recurrence, SAMPLE_RATE)
    assert max(alike, key=lambda semitones: alike[semitones]) == transposition
    assert alike[transposition] == pytest.approx(1)
    # A return at another tempo has another length.
    slower = recurrence.model_copy(update={"samples": round(3.8 * SAMPLE_RATE)})
    assert len(likeness(stored, motif, slower, SAMPLE_RATE)) == 12
    silent = features(tmp_path, track, np.zeros((12, FRAMES)))
    assert set(likeness(silent, motif, recurrence, SAMPLE_RATE).values()) == {0.0}


def test_the_moments_that_a_picture_shows_as_alike_are_named(
    tmp_path: Path, track: ManifestTrack
) -> None:
    stored = features(tmp_path, track, returning(0))
    (earlier, later, similarity), *_ = most_alike(stored, 10, 8)
    assert later - earlier == pytest.approx(10, abs=0.1)
    assert 1.5 <= earlier <= 6
    assert similarity == pytest.approx(1, abs=0.05)
    for earlier, later, _ in most_alike(stored, 10, 8):
        assert 10 <= later < 18
        assert later - earlier >= 2


def test_a_recordings_loudness_is_that_of_its_loudest_frames(
    tmp_path: Path, track: ManifestTrack
) -> None:
    stored = features(tmp_path, track, np.ones((12, 3000)))
    stored.energy[:] = -60
    stored.energy[1500] = -10
    loud = profile(stored)
    assert loud.shape == (600,)
    assert loud[300] == 255
    assert np.delete(loud, 300).tolist() == [0] * 599
