"""Clips as scripts: what a page reads of them is what was written."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leitmotif.errors import StageError
from leitmotif.report.clips import encode_clip
from leitmotif.report.folder import Folder, Shell

RATE = 32_000
TIME = np.arange(RATE) / RATE
TONE = np.round(8000 * np.sin(2 * np.pi * 440 * TIME)).astype(np.int16)


def shown(files: dict[str, bytes], clip_id: str) -> dict[str, object]:
    text = files[f"{clip_id}.js"].decode()
    assert text.startswith("leitmotifClip(")
    return json.loads(text.removeprefix("leitmotifClip(").removesuffix(");\n"))


def test_the_sound_is_the_same_sample_by_sample_in_both_files() -> None:
    clip, files = encode_clip(TONE, RATE)
    inside = base64.b64decode(str(shown(files, clip.id)["flac"]))
    assert inside == files[f"{clip.id}.flac"]
    samples, rate = soundfile.read(io.BytesIO(inside), dtype="int16")
    assert rate == RATE
    assert np.array_equal(samples, TONE)


def test_what_is_drawn_fits_the_sound() -> None:
    clip, files = encode_clip(TONE, RATE)
    picture = shown(files, clip.id)
    lowest_highest = np.frombuffer(base64.b64decode(picture["outline"]["data"]), np.int8)  # type: ignore[index]
    assert lowest_highest.reshape(-1, 2)[:, 1].max() == 8000 >> 8
    chroma = np.frombuffer(base64.b64decode(picture["chroma"]["data"]), np.uint8)  # type: ignore[index]
    assert chroma.reshape(12, -1).shape[1] == picture["chroma"]["frames"] == 50  # type: ignore[index]
    assert chroma.reshape(12, -1).mean(axis=1).argmax() == 9  # A
    assert clip.seconds == 1.0


def test_a_clip_that_is_only_heard_has_nothing_to_draw() -> None:
    clip, files = encode_clip(TONE, RATE, pictured=False)
    drawn, with_picture = encode_clip(TONE, RATE)
    assert clip == drawn
    assert files[f"{clip.id}.flac"] == with_picture[f"{clip.id}.flac"]
    missing = shown(with_picture, clip.id).keys() - shown(files, clip.id).keys()
    assert missing == {"outline", "chroma"}


@pytest.mark.parametrize("order", [(True, False), (False, True)])
def test_a_clip_that_is_drawn_anywhere_has_its_picture(
    tmp_path: Path, order: tuple[bool, bool]
) -> None:
    folder = Folder(tmp_path, Shell("made", "tiny", [], []))
    for pictured in order:
        clip = folder.clip(TONE, RATE, pictured=pictured)
    script = (tmp_path / "clips" / f"{clip.id}.js").read_bytes()
    assert script == encode_clip(TONE, RATE)[1][f"{clip.id}.js"]
    assert len(folder.clips) == 1


def test_equal_sounds_are_equal_clips() -> None:
    assert encode_clip(TONE, RATE) == encode_clip(TONE.copy(), RATE)
    assert encode_clip(-TONE, RATE)[0].id != encode_clip(TONE, RATE)[0].id


def test_another_rate_is_refused_with_what_was_found() -> None:
    with pytest.raises(StageError, match="44100 Hz"):
        encode_clip(TONE, 44_100)
