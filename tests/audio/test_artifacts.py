from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif.audio.artifacts import SourceArtifacts, cutoff_frequency, measure_artifacts
from leitmotif.audio.decode import Recording, read_recording


def low_passed_noise(
    cutoff: float, rate: int, level_dbfs: float = -20, seed: int = 0
) -> np.ndarray:
    white = np.random.default_rng(seed).standard_normal(3 * rate)
    filtered = scipy.signal.lfilter(scipy.signal.firwin(1023, cutoff, fs=rate), 1, white)
    return (filtered * 10 ** (level_dbfs / 20) / filtered.std()).astype(np.float32)


def measure(samples: np.ndarray, rate: int = 32_000, file_bytes: int = 1000) -> SourceArtifacts:
    channels = samples if samples.ndim == 2 else samples[:, None]
    recording = Recording(channels.astype(np.float32), rate, 0)
    return measure_artifacts(recording, track_id="a", file_bytes=file_bytes, silence_dbfs=-60.0)


@given(
    rate=st.sampled_from([22_050, 32_000, 44_100, 48_000]),
    fraction=st.floats(0.3, 0.93),
    level=st.floats(-60, -10),
)
@settings(max_examples=25, deadline=None)
def test_cutoff_of_low_passed_noise_is_within_three_percent(
    rate: int, fraction: float, level: float
) -> None:
    cutoff = fraction * rate / 2
    measured = cutoff_frequency(low_passed_noise(cutoff, rate, level), rate)
    assert measured == pytest.approx(cutoff, rel=0.03)


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("cutoff", [7_000, 9_000, 15_000, 16_000])
def test_cutoff_survives_encoding(tmp_path: Path, extension: str, cutoff: float) -> None:
    path = tmp_path / f"a.{extension}"
    soundfile.write(path, low_passed_noise(cutoff, 44_100), 44_100)
    recording = read_recording(path)
    measured = cutoff_frequency(recording.samples[:, 0], recording.sample_rate)
    assert measured == pytest.approx(cutoff, rel=0.03)


def test_the_mp3_encoders_own_low_pass_is_found(tmp_path: Path) -> None:
    """At a low bit rate LAME cuts white noise far below half the sample rate; FLAC does not."""
    white = 0.1 * np.random.default_rng(0).standard_normal(3 * 44_100)
    cutoffs = {}
    for name, options in {
        "a.flac": {},
        "a.mp3": {"compression_level": 0.9, "bitrate_mode": "CONSTANT"},
    }.items():
        soundfile.write(tmp_path / name, white, 44_100, **options)
        recording = read_recording(tmp_path / name)
        cutoffs[name] = cutoff_frequency(recording.samples[:, 0], recording.sample_rate)
    assert cutoffs["a.flac"] == 22_050
    assert 5_000 < cutoffs["a.mp3"] < 18_000


def test_music_without_a_cliff_has_no_cutoff() -> None:
    rate = 44_100
    white = np.random.default_rng(0).standard_normal(3 * rate).astype(np.float32)
    times = np.arange(3 * rate) / rate
    bass = np.sin(2 * np.pi * 440 * times).astype(np.float32)
    for samples in (white, np.cumsum(white) * 1e-3, bass, white[:100], np.zeros(rate)):
        assert cutoff_frequency(samples.astype(np.float32), rate) == rate / 2


@given(
    peak=st.floats(0.05, 0.9),
    offset=st.floats(-0.05, 0.05),
    silent=st.integers(0, 50),
    clipped=st.integers(0, 500),
)
@settings(max_examples=30, deadline=None)
def test_planted_levels_are_measured(peak: float, offset: float, silent: int, clipped: int) -> None:
    """A square wave of 50 x 20 ms; `silent` frames emptied, or `clipped` samples at full scale."""
    square = np.where(np.arange(32_000) % 100 < 50, peak, -peak) + offset
    artifacts = measure(square)
    assert artifacts.dc_offset == pytest.approx(offset, abs=1e-5)
    assert artifacts.peak == pytest.approx(peak + abs(offset), abs=1e-4)
    assert artifacts.loudness == pytest.approx(10 * np.log10(peak**2 + offset**2), abs=0.02)
    assert artifacts.clipped == artifacts.silence == 0

    square[: silent * 640] = 0
    assert measure(square).silence == pytest.approx(silent / 50)
    square[:clipped] = -1.0
    assert measure(square).clipped == pytest.approx(clipped / 32_000, abs=1e-7)


def test_channels_are_measured_before_they_are_mixed() -> None:
    """Opposite offsets and clipping in one channel vanish in the mix, and are still reported."""
    left = np.full(32_000, 0.1)
    right = np.full(32_000, -0.2)
    right[:320] = -1.0
    artifacts = measure(np.stack([left, right], axis=1))
    assert artifacts.channels == 2
    assert artifacts.dc_offset == pytest.approx(-0.208)
    assert artifacts.clipped == pytest.approx(320 / 64_000)
    assert artifacts.peak == 1


def test_bit_rate_is_size_over_duration(tmp_path: Path) -> None:
    assert measure(np.ones(64_000), file_bytes=32_000).bit_rate == 128
    path = tmp_path / "a.mp3"
    soundfile.write(
        path,
        low_passed_noise(9_000, 44_100),
        44_100,
        bitrate_mode="CONSTANT",
        compression_level=0.0,
    )
    recording = read_recording(path)
    artifacts = measure(recording.samples, recording.sample_rate, path.stat().st_size)
    assert artifacts.bit_rate == pytest.approx(320, rel=0.05)
    assert (artifacts.sample_rate, artifacts.channels) == (44_100, 1)
