"""Clips: the samples that were asked for, whatever the file's format."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leitmotif.audio.decode import load_audio
from leitmotif.errors import AudioError
from leitmotif.files import sha256_file
from leitmotif.review import clips as clips_module
from leitmotif.review.clips import CONTEXT_SECONDS, ClipStore, to_pcm, wav
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack, Window
from tests.tables.made import manifest_track

RATE = 32000
WINDOW = Span(start_sample=5 * RATE + 17, samples=RATE + 3)


def recording(folder: Path, name: str, rate: int) -> ManifestTrack:
    path = folder / "corpus" / name
    path.parent.mkdir(exist_ok=True)
    noise = np.random.default_rng(1).normal(scale=0.1, size=12 * rate)
    soundfile.write(path, noise, rate)
    return manifest_track(
        track_id="t",
        path=name,
        sha256=sha256_file(path),
        seconds=12,
        windows=[Window(start_frame=0, frames=1)],
    )


@pytest.fixture
def store(tmp_path: Path) -> ClipStore:
    return ClipStore(tmp_path / "clips", tmp_path / "corpus")


@pytest.mark.parametrize(("name", "rate"), [("t.mp3", 44100), ("t.ogg", 48000), ("t.wav", 32000)])
def test_a_clip_is_exact_to_the_sample(
    store: ClipStore, tmp_path: Path, name: str, rate: int
) -> None:
    track = recording(tmp_path, name, rate)
    clip = store.clip(track, WINDOW, RATE)
    store.cut(track, [clip], RATE)
    whole = to_pcm(load_audio(tmp_path / "corpus" / name, sample_rate=RATE).samples)
    samples, found_rate = soundfile.read(store.path(clip.name), dtype="int16")
    assert found_rate == RATE
    first = WINDOW.start_sample - round(CONTEXT_SECONDS * RATE)
    assert clip.start_sample == first
    np.testing.assert_array_equal(samples, whole[first : first + len(samples)])
    assert len(samples) == WINDOW.samples + 2 * round(CONTEXT_SECONDS * RATE)
    judged = whole[WINDOW.start_sample : WINDOW.start_sample + WINDOW.samples]
    expected = hashlib.sha256(wav(judged, RATE)).hexdigest()
    assert store.sha256(clip, WINDOW, RATE) == expected


def test_a_track_is_decoded_once(
    store: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = recording(tmp_path, "t.wav", RATE)
    decoded = []
    real = clips_module.load_audio
    monkeypatch.setattr(
        clips_module, "load_audio", lambda *a, **k: decoded.append(1) or real(*a, **k)
    )
    windows = [Span(start_sample=number * RATE, samples=RATE) for number in range(4)]
    clips = [store.clip(track, window, RATE) for window in windows]
    store.cut(track, clips, RATE)
    store.cut(track, clips, RATE)
    assert len(decoded) == 1
    assert len(list((tmp_path / "clips").iterdir())) == 4


def test_context_ends_where_the_recording_does(store: ClipStore, tmp_path: Path) -> None:
    track = recording(tmp_path, "t.wav", RATE)
    first = store.clip(track, Span(start_sample=0, samples=RATE), RATE)
    last = store.clip(track, Span(start_sample=11 * RATE, samples=RATE), RATE)
    store.cut(track, [first, last], RATE)
    assert first.start_sample == 0
    assert len(store.read(last, RATE)) == 5 * RATE


@pytest.mark.parametrize(
    ("start", "found"), [(11 * RATE + 1, "of 12.00 s"), (40 * RATE, "of at most 36.00 s")]
)
def test_a_window_beyond_the_file_is_said(
    store: ClipStore, tmp_path: Path, start: int, found: str
) -> None:
    track = recording(tmp_path, "t.wav", RATE)
    clip = store.clip(track, Span(start_sample=start, samples=RATE), RATE)
    store.cut(track, [clip], RATE)
    with pytest.raises(AudioError, match="beyond the end") as error:
        store.read(clip, RATE)
    assert error.value.reason == "beyond_end"
    assert found in str(error.value.found)


def test_another_recording_is_never_cut(store: ClipStore, tmp_path: Path) -> None:
    track = recording(tmp_path, "t.wav", RATE)
    clip = store.clip(track, WINDOW, RATE)
    (tmp_path / "corpus" / "t.wav").write_bytes(b"another")
    with pytest.raises(AudioError) as error:
        store.cut(track, [clip], RATE)
    assert error.value.reason == "checksum"
    (tmp_path / "corpus" / "t.wav").unlink()
    with pytest.raises(AudioError) as error:
        store.cut(track, [clip], RATE)
    assert error.value.reason == "missing"
    assert not store.path(clip.name).exists()


def test_samples_are_rounded_and_overshoot_is_clipped() -> None:
    pcm = to_pcm(np.array([0, 1, -1, 1.2, -1.2, 0.4 / 32767, 0.6 / 32767], np.float32))
    assert pcm.tolist() == [0, 32767, -32767, 32767, -32768, 0, 1]


def test_equal_samples_give_equal_bytes() -> None:
    samples = np.arange(-100, 100, dtype=np.int16)
    assert wav(samples, RATE) == wav(samples, RATE)
    read, rate = soundfile.read(io.BytesIO(wav(samples, RATE)), dtype="int16")
    assert rate == RATE
    np.testing.assert_array_equal(read, samples)
