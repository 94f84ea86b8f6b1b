import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif.audio.features import HOP, SAMPLE_RATE, extract_features, frame_energy

PITCH_CLASSES = 12


def note(midi: float, seconds: float) -> np.ndarray:
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    frequency = 440 * 2 ** ((midi - 69) / 12)
    partials = [0.5**k * np.sin(2 * np.pi * frequency * (k + 1) * times) for k in range(4)]
    return (0.2 * np.sum(partials, axis=0)).astype(np.float32)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


@given(samples=st.integers(HOP, 5 * SAMPLE_RATE))
@settings(max_examples=15, deadline=None)
def test_every_array_has_one_entry_per_whole_codec_frame(samples: int) -> None:
    features = extract_features(noise(samples))
    frames = samples // HOP
    assert features.chroma.shape == (PITCH_CLASSES, frames)
    assert features.energy.shape == features.onset.shape == (frames,)
    for array in (features.chroma, features.energy, features.onset):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
    np.testing.assert_allclose(features.chroma.max(axis=0), 1, rtol=1e-5)


@pytest.mark.parametrize("midi", range(48, 84, 5))
def test_chroma_names_the_note(midi: int) -> None:
    features = extract_features(note(midi, 1.5))
    assert (features.chroma[:, 10:-10].argmax(axis=0) == midi % PITCH_CLASSES).all()


def test_chroma_follows_the_tuning_of_the_track() -> None:
    notes = [note(midi + 0.14, 0.5) for midi in (60, 64, 67, 72)]
    features = extract_features(np.concatenate(notes))
    assert features.tuning_cents == pytest.approx(14, abs=2)


def test_a_change_of_note_lies_in_its_frame() -> None:
    """C5 until frame 75, then G5: at the middle of the frames before and after, and not shifted."""
    change = 75
    samples = np.concatenate([note(72, 2)[: change * HOP], note(79, 2)])
    chroma = extract_features(samples).chroma
    louder = chroma[7] > chroma[0]
    assert not louder[20:change].any()
    assert louder[change:150].all()


@given(frame=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_energy_is_of_the_frames_own_samples(frame: int) -> None:
    samples = np.zeros(100 * HOP + 123, dtype=np.float32)
    samples[frame * HOP : (frame + 1) * HOP] = 0.1
    energy = frame_energy(samples)
    assert energy[frame] == pytest.approx(-20, abs=1e-3)
    assert (np.delete(energy, frame) == -120).all()


@given(frame=st.integers(5, 95), offset=st.integers(0, HOP - 1))
@settings(max_examples=25, deadline=None)
def test_onset_strength_peaks_where_the_sound_begins(frame: int, offset: int) -> None:
    """Within one frame: windows of 64 ms hear a sound that begins just after the frame."""
    samples = np.zeros(110 * HOP, dtype=np.float32)
    start = frame * HOP + offset
    samples[start:] = noise(len(samples) - start)
    onset = extract_features(samples).onset
    assert abs(int(onset.argmax()) - frame) <= 1
    assert onset[: frame - 2].max() == 0


def test_no_frame_hears_more_of_the_future_than_is_documented() -> None:
    """A change at 3 s: energy is the same until then, onset and chroma until their reach before."""
    past, frames, reach = note(48, 3), 150, int(0.8 * 50) + 1
    features = extract_features(np.concatenate([past, note(55, 3)]))
    other = extract_features(np.concatenate([past, np.zeros(3 * SAMPLE_RATE, np.float32)]))
    np.testing.assert_array_equal(features.energy[:frames], other.energy[:frames])
    np.testing.assert_array_equal(features.onset[: frames - 2], other.onset[: frames - 2])
    assert not np.array_equal(features.onset[: frames + 2], other.onset[: frames + 2])
    assert features.tuning_cents == pytest.approx(other.tuning_cents, abs=2)
    until = slice(frames - reach)
    np.testing.assert_allclose(features.chroma[:, until], other.chroma[:, until], atol=0.03)
    assert np.abs(features.chroma - other.chroma)[:, frames - 5 : frames].max() > 0.1


def test_two_runs_agree_to_the_bit() -> None:
    samples = noise(2 * SAMPLE_RATE)
    first, second = extract_features(samples), extract_features(samples.copy())
    for name in ("chroma", "energy", "onset"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
