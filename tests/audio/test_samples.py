"""What is taken as audio: one rule for all functions that take samples."""

import io
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.io import wavfile

from leitmotif.audio.decode import Audio
from leitmotif.audio.features import extract_features
from leitmotif.audio.reading.samples import LOUDEST, as_clip, as_clips, rate_of
from leitmotif.errors import AudioError, LeitmotifError

SUBTYPES = {"int16": "PCM_16", "int32": "PCM_32", "uint8": "PCM_U8"}


def sound(samples: Any, rate: int = 8000) -> Audio:
    return Audio(np.asarray(samples, np.float32), rate, rate, 1)


@pytest.mark.parametrize("kind", SUBTYPES)
@given(data=st.data())
def test_integers_are_scaled_as_libsndfile_scales_them(kind: str, data: st.DataObject) -> None:
    """Written to a file as they are, and decoded by soundfile and scipy."""
    whole = data.draw(arrays.arrays(kind, st.integers(1, 50)))
    file = io.BytesIO()
    wavfile.write(file, 8000, whole)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    np.testing.assert_array_equal(as_clip(whole), decoded)
    file.seek(0)
    np.testing.assert_array_equal(as_clip(wavfile.read(file)[1]), decoded)
    assert np.abs(as_clip(whole)).max() <= 1


def test_24_bits_as_scipy_reads_them_are_scaled_rightly() -> None:
    wave = np.sin(np.arange(100) / 9)
    file = io.BytesIO()
    soundfile.write(file, wave, 8000, format="WAV", subtype="PCM_24")
    file.seek(0)
    _, read = wavfile.read(file)
    assert read.dtype == np.int32
    np.testing.assert_allclose(as_clip(read), wave, atol=2**-22)


@given(arrays.arrays(np.float32, st.integers(0, 50), elements=st.floats(-32, 32, width=32)))
def test_floats_of_any_kind_and_container_pass_unchanged(samples: np.ndarray) -> None:
    for given_as in (samples, samples[None], samples.astype(np.float64), torch.tensor(samples),
                     samples.tolist() or samples, sound(samples)):  # fmt: skip
        made = as_clip(given_as)
        assert made.dtype == np.float32
        np.testing.assert_array_equal(made, samples)
    half = torch.tensor(samples).bfloat16().requires_grad_()
    np.testing.assert_array_equal(as_clip(half), half.detach().float())


@pytest.mark.parametrize(
    ("audio", "reason", "message"),
    [
        (np.zeros((2, 100)), "not_mono", r"shape \(2, 100\)"),
        (np.zeros((100, 2), np.int16), "not_mono", r"shape \(100, 2\)"),
        (np.zeros((2, 3, 100)), "not_mono", "shape"),
        (torch.zeros(0, 100), "not_mono", "shape"),
        (np.zeros(100, np.int64), "not_samples", "int64"),
        (np.zeros(100, np.uint16), "not_samples", "uint16"),
        (np.zeros(100, bool), "not_samples", "bool"),
        (np.zeros(100, complex), "not_samples", "complex128"),
        ("song.wav", "not_samples", "load_audio"),
        (None, "not_samples", "None"),
        (np.array([0.0, np.nan]), "non_finite", "1 NaN or infinite of 2"),
        (np.array([1e300]), "non_finite", "1 NaN"),
        (np.array([3000.0, -40.0]), "out_of_range", "up to 3000"),
        (np.array([-33.0]), "out_of_range", "divide"),
        (sound([0.0], 44_100), "wrong_rate", r"44100 Hz\n.*8000 Hz"),
    ],
)
def test_what_cannot_be_meant_or_used_is_refused(audio: Any, reason: str, message: str) -> None:
    with pytest.raises(AudioError, match=message) as caught:
        as_clip(audio, 8000)
    assert caught.value.reason == reason


def test_loud_audio_is_not_mistaken_for_integers() -> None:
    assert as_clip(np.array([LOUDEST, -LOUDEST])).tolist() == [LOUDEST, -LOUDEST]


def test_several_clips_are_said_to_be_several() -> None:
    rows = np.arange(6, dtype=np.float32).reshape(2, 3) / 8
    for given_as in (list(rows), tuple(rows), rows[:, None], torch.tensor(rows)[:, None],
                     rows.tolist(), [sound(row) for row in rows]):  # fmt: skip
        np.testing.assert_array_equal(as_clips(given_as), rows)
    assert len(as_clips(rows[0])) == len(as_clips(rows[:1])) == 1
    assert as_clips([]) == as_clips(np.zeros((0, 1, 5))) == []
    with pytest.raises(AudioError, match=r"list\(audio\)"):
        as_clips(rows)
    with pytest.raises(AudioError, match="clip 1 is not mono"):
        as_clips([rows[0], rows])


def test_the_rate_is_the_one_given_or_that_of_the_audio() -> None:
    assert rate_of(sound([0.0], 44_100), None) == 44_100
    assert rate_of([np.zeros(3), sound([0.0], 44_100)], None) == 44_100
    assert rate_of(np.zeros(3), 16_000) == 16_000
    with pytest.raises(LeitmotifError, match="no sample rate"):
        rate_of(np.zeros(3), None)


def test_features_take_integers_and_refuse_another_rate() -> None:
    whole = np.round(np.sin(np.arange(64_000) / 12) * 20_000).astype(np.int16)
    ours, theirs = extract_features(whole), extract_features(whole / 32768)
    np.testing.assert_array_equal(ours.chroma, theirs.chroma)
    np.testing.assert_array_equal(ours.energy, theirs.energy)
    with pytest.raises(AudioError, match="another sample rate"):
        extract_features(sound(np.zeros(44_100), 44_100))


def test_an_audio_says_what_it_is_and_plays() -> None:
    audio = Audio(np.array([0.5, -0.25] * 4000, np.float32), 8000, 44_100, 2, source="a<b>.mp3")
    assert repr(audio) == (
        "Audio(1 s at 8000 Hz, mono, peak 0.5, of a<b>.mp3 (44100 Hz, 2 channels))"
    )
    html = audio._repr_html_()
    assert "a&lt;b&gt;.mp3" in html
    assert "<audio controls" in html
    assert repr(sound([])) == "Audio(0 s at 8000 Hz, mono, peak 0)"


def test_resampling_keeps_pitch_and_length() -> None:
    tone = sound(np.sin(2 * np.pi * 440 * np.arange(8000) / 8000))
    there = tone.resampled(16_000)
    assert (there.sample_rate, there.seconds, there.source_sample_rate) == (16_000, 1.0, 8000)
    expected = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    np.testing.assert_allclose(there.samples[800:-800], expected[800:-800], atol=1e-3)
    assert tone.resampled(8000) is tone
    with pytest.raises(LeitmotifError, match="no sample rate"):
        tone.resampled(10)
