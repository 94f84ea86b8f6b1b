"""Another encoding of a take is found, and pieces that only sound alike are not."""

from pathlib import Path

import numpy as np
import soundfile

from leitmotif.audio.decode import load_audio
from leitmotif.audio.features import SAMPLE_RATE, extract_features
from leitmotif.audio.likeness import near_duplicates
from leitmotif.corpus.organism.shard import encode_mp3
from leitmotif.notebook.pieces import compose


def chroma(samples: np.ndarray) -> np.ndarray:
    return extract_features(samples.astype(np.float32)).chroma


def test_other_encodings_of_a_take_are_found_and_other_pieces_are_not(tmp_path: Path) -> None:
    pieces = [piece.samples for piece in compose(6, seed=3)]
    (tmp_path / "a.mp3").write_bytes(encode_mp3(pieces[0], SAMPLE_RATE))
    soundfile.write(tmp_path / "a.ogg", 0.5 * pieces[0], SAMPLE_RATE)
    late = np.concatenate([np.zeros(1105, np.float32), pieces[0]])
    tracks = {f"piece_{number}": chroma(samples) for number, samples in enumerate(pieces)}
    for name in ("a.mp3", "a.ogg"):
        tracks[name] = chroma(load_audio(tmp_path / name, sample_rate=SAMPLE_RATE).samples)
    tracks["late"] = chroma(late)
    similar = {(pair.track_id, pair.other) for pair in near_duplicates(tracks)}
    copies = ["piece_0", "a.mp3", "a.ogg", "late"]
    assert similar == {
        (later, earlier) for index, later in enumerate(copies) for earlier in copies[:index]
    }


def test_silence_and_short_tracks_are_like_nothing() -> None:
    silent, short = np.zeros((12, 500), np.float32), np.ones((12, 20), np.float32)
    tracks = {"a": silent, "b": silent, "c": short, "d": short}
    assert list(near_duplicates(tracks)) == []


def test_the_real_recordings_are_no_duplicates(shared_data: Path) -> None:
    files = sorted((shared_data / "musicgen_clips").glob("*.mp3"))[:12]
    tracks = {
        file.stem: chroma(load_audio(file, sample_rate=SAMPLE_RATE).samples) for file in files
    }
    assert list(near_duplicates(tracks)) == []
