"""`leitmotif propose` in a folder where much is wrong: what can be done is done, the rest named."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from leitmotif.cli import app
from leitmotif.files import read_table
from leitmotif.recurrence import listing
from leitmotif.recurrence.listing import Listed
from tests.recurrence.melodies import RATE, piece


def propose(folder: Path, out: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["propose", str(folder), "--out", str(out), "--all"])
    return result.exit_code, result.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "mine"
    made.mkdir()
    soundfile.write(made / "good.wav", piece(), RATE)
    return made


@pytest.mark.fault(
    "leitmotif propose",
    "pipe, broken link, circle, folder named like audio, hidden, empty, cut, name not in UTF-8",
    outcome="each is named, the others are done, the status is 1",
)
def test_odd_files_are_named_and_the_others_done(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "pipe.wav")
    (folder / "broken.wav").symlink_to("nothing")
    (folder / "circle.wav").symlink_to("circle.wav")
    soundfile.write(tmp_path / "outside.wav", piece(), RATE)
    (folder / "link.wav").symlink_to(tmp_path / "outside.wav")
    (folder / "folder.wav").mkdir()
    (folder / ".hidden.wav").write_bytes(b"")
    (folder / "empty.wav").write_bytes(b"")
    (folder / "page.mp3").write_text("<html></html>")
    whole = (folder / "good.wav").read_bytes()
    (folder / "cut.wav").write_bytes(whole[: len(whole) // 2])
    os.link(folder / "good.wav", os.fsencode(folder) + b"/\xff.wav")
    status, said = propose(folder, tmp_path / "out.jsonl")
    assert status == 1
    assert {row.track for row in read_table(tmp_path / "out.jsonl", Listed)} == {"good"}
    for name in ("pipe", "broken", "circle", "link", "empty", "page", "cut", r"\udcff"):
        assert f"{name}." in said
    assert "folder.wav" not in said
    assert ".hidden" not in said
    assert "for 1 file in" in said


@pytest.mark.fault(
    "leitmotif propose",
    "FLAC whose header says 0 samples, and one that promises 2^32 - 16",
    outcome="the first is decoded and noted as of unknown length, the second named as truncated",
)
def test_lengths_in_headers_are_not_believed(folder: Path, tmp_path: Path) -> None:
    for name, total in (("unknown", 0), ("promise", 2**32 - 16)):
        soundfile.write(folder / f"{name}.flac", piece(), RATE)
        content = bytearray((folder / f"{name}.flac").read_bytes())
        content[21] = content[21] & 0xF0 | total >> 32
        content[22:26] = (total & 0xFFFF_FFFF).to_bytes(4, "big")
        (folder / f"{name}.flac").write_bytes(content)
    status, said = propose(folder, tmp_path / "out.jsonl")
    assert status == 1
    tracks = {row.track for row in read_table(tmp_path / "out.jsonl", Listed)}
    assert tracks == {"good", "unknown"}
    assert "note: unknown: length unknown" in said
    assert "promise.flac ends early" in said


@pytest.mark.parametrize("error", [MemoryError, RuntimeError("of another library")])
@pytest.mark.fault(
    "leitmotif propose", "no memory, or any exception", outcome="that file's failure, by name"
)
def test_any_exception_is_one_files_failure(
    error: Exception, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(folder / "bad.wav", piece(), RATE // 2)
    search = listing.suggest_in_audio

    def failing(samples: np.ndarray, *rest: object) -> object:
        if len(samples) > 1.5 * len(piece()) * 32_000 / RATE:
            raise error
        return search(samples, *rest)

    monkeypatch.setattr(listing, "suggest_in_audio", failing)
    status, said = propose(folder, tmp_path / "out.jsonl")
    assert status == 1
    assert {row.track for row in read_table(tmp_path / "out.jsonl", Listed)} == {"good"}
    assert "bad.wav" in said
