from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif.audio.decode import (
    Audio,
    Recording,
    check_audio,
    load_audio,
    read_recording,
    rms_dbfs,
    to_mono,
)
from leitmotif.errors import AudioError

FORMATS = ["wav", "flac", "ogg", "mp3"]


def tone(seconds: float, rate: int, frequency: float = 440.0, amplitude: float = 0.5) -> np.ndarray:
    times = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def check(audio: Audio, min_seconds: float = 0.5, silence_dbfs: float = -60.0) -> None:
    check_audio(audio, min_seconds=min_seconds, silence_dbfs=silence_dbfs, name="a.wav")


def mono(samples: np.ndarray, rate: int = 32_000) -> Audio:
    return Audio(samples.astype(np.float32), rate, rate, 1)


@pytest.mark.parametrize("extension", FORMATS)
def test_a_stereo_file_becomes_the_mono_mean_at_the_rate_asked_for(
    tmp_path: Path, extension: str
) -> None:
    path = tmp_path / f"a.{extension}"
    left, right = tone(2, 44_100, 440), tone(2, 44_100, 1000, 0.25)
    soundfile.write(path, np.stack([left, right], axis=1), 44_100)

    audio = load_audio(path, sample_rate=32_000)

    assert (audio.sample_rate, audio.source_sample_rate, audio.source_channels) == (
        32_000,
        44_100,
        2,
    )
    assert audio.samples.dtype == np.float32
    assert len(audio.samples) == 64_000
    expected = (tone(2, 32_000, 440) + tone(2, 32_000, 1000, 0.25)) / 2
    inside = slice(3200, -3200)
    error = audio.samples[inside] - expected[inside]
    assert np.sqrt(np.mean(error**2)) < (0.02 if extension in ("ogg", "mp3") else 1e-3)


@pytest.mark.parametrize("extension", FORMATS)
@pytest.mark.parametrize(("start", "seconds"), [(0.0, 1.0), (2.5, 1.0), (3.26, 0.02), (4.0, 9.0)])
def test_a_section_equals_that_part_of_the_whole(
    tmp_path: Path, extension: str, start: float, seconds: float
) -> None:
    path = tmp_path / f"a.{extension}"
    noise = 0.1 * np.random.default_rng(0).standard_normal((5 * 44_100, 2))
    soundfile.write(path, noise, 44_100)

    whole = load_audio(path, sample_rate=32_000)
    section = load_audio(path, sample_rate=32_000, start_seconds=start, seconds=seconds)

    first = round(start * 32_000)
    expected = whole.samples[first : first + round(seconds * 32_000)]
    np.testing.assert_allclose(section.samples, expected, atol=1e-5)


@given(channels=st.integers(1, 6), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_mixing_equal_channels_gives_the_channel(channels: int, seed: int) -> None:
    channel = np.random.default_rng(seed).standard_normal(500).astype(np.float32)
    recording = Recording(np.repeat(channel[:, None], channels, axis=1), 32_000, 0)
    np.testing.assert_allclose(to_mono(recording, 32_000).samples, channel, rtol=1e-5)


@pytest.mark.parametrize("content", [b"", b"not audio at all", bytes(5000)])
@pytest.mark.parametrize("extension", FORMATS)
def test_rubbish_is_undecodable_and_the_file_is_named(
    tmp_path: Path, content: bytes, extension: str
) -> None:
    path = tmp_path / f"rubbish.{extension}"
    path.write_bytes(content)
    with pytest.raises(AudioError, match="rubbish") as caught:
        read_recording(path)
    assert caught.value.reason == "undecodable"
    assert "opening" not in str(caught.value), "of the open file's number, another in each run"


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(AudioError) as caught:
        read_recording(tmp_path / "absent.wav")
    assert caught.value.reason == "unreadable"


def test_half_an_mp3_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "half.mp3"
    soundfile.write(path, tone(4, 44_100), 44_100)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match=r"as its header says") as caught:
        read_recording(path)
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_single_sample_that_is_no_number_is_found(tmp_path: Path, bad: float) -> None:
    samples = tone(1, 44_100)
    samples[20_000] = bad
    soundfile.write(tmp_path / "nan.wav", samples, 44_100, subtype="FLOAT")
    with pytest.raises(AudioError) as caught:
        check(load_audio(tmp_path / "nan.wav", sample_rate=32_000))
    assert caught.value.reason == "non_finite"


def test_short_audio_is_refused_and_just_long_enough_audio_is_not() -> None:
    check(mono(tone(0.5, 32_000)))
    for samples in (tone(0.49, 32_000), np.zeros(0)):
        with pytest.raises(AudioError) as caught:
            check(mono(samples))
        assert caught.value.reason == "too_short"


def test_silence_is_judged_by_the_loudest_tenth_of_a_second() -> None:
    quiet = tone(2, 32_000, amplitude=1e-4)
    with pytest.raises(AudioError, match="dBFS") as caught:
        check(mono(quiet))
    assert caught.value.reason == "silent"
    quiet[32_000:35_200] = tone(0.1, 32_000, amplitude=0.1)
    check(mono(quiet))


@given(level=st.floats(-100, 0))
def test_rms_of_a_constant_is_its_level(level: float) -> None:
    frames = np.full((3, 64), 10 ** (level / 20), dtype=np.float32)
    np.testing.assert_allclose(rms_dbfs(frames), level, atol=1e-3)


def test_digital_silence_has_a_finite_level() -> None:
    assert rms_dbfs(np.zeros((2, 640), dtype=np.float32)).tolist() == [-120.0, -120.0]


def test_the_real_recordings_decode(shared_data: Path) -> None:
    files = sorted((shared_data / "recordings").glob("*.ogg"))
    assert len(files) == 6
    for path in files:
        audio = load_audio(path, sample_rate=32_000, seconds=5.0)
        assert len(audio.samples) == 160_000
        check(audio)
