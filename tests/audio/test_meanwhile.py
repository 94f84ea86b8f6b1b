"""Files that may not be read, are named alike, hold no numbers or nothing, or change meanwhile."""

import io
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import made_recordings as made
import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

import leitmotif
from leitmotif.audio import decode
from leitmotif.audio.decode import load_audio, verified
from leitmotif.cli import app
from leitmotif.corpus.listing import list_recordings
from leitmotif.corpus.sources import folder as corpus_folder
from leitmotif.corpus.sources.decoding import decode_whole
from leitmotif.corpus.sources.folder import copy_folder
from leitmotif.errors import AudioError
from leitmotif.files import read_table, sha256_file
from leitmotif.recurrence.listing import Listed

Refuse = Callable[[str], None]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder with one good recording."""
    folder = tmp_path / "mine"
    folder.mkdir()
    soundfile.write(folder / "good.wav", made.tone(seconds=8), made.RATE)
    return folder


def propose(folder: Path) -> tuple[int, str]:
    out = folder.parent / "out.jsonl"
    result = CliRunner().invoke(app, ["propose", str(folder), "--out", str(out), "--all"])
    return result.exit_code, result.output


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Let the system refuse what has a name, as it would a user who may not read it.

    root may read everything, and tests may run as root.
    """

    def refuse(name: str) -> None:
        for call in ("open", "scandir"):
            allowed = getattr(os, call)

            def asked(path: object, *rest: object, allowed: Callable = allowed, **more: object):
                if not isinstance(path, int) and Path(os.fsdecode(path)).name == name:
                    raise PermissionError(13, "Permission denied", os.fspath(path))
                return allowed(path, *rest, **more)

            monkeypatch.setattr(os, call, asked)

    return refuse


@pytest.mark.fault(
    "corpus stage and leitmotif propose",
    "a file or folder without the right to read it",
    outcome="unreadable, by name; the others are done",
)
@pytest.mark.parametrize("name", ["secret.wav", "secret"])
def test_what_may_not_be_read_is_named(
    name: str, mine: Path, refused: Refuse, tmp_path: Path
) -> None:
    secret = mine / name if name.endswith(".wav") else mine / name / "inside.wav"
    secret.parent.mkdir(exist_ok=True)
    secret.write_bytes((mine / "good.wav").read_bytes())
    refused(name)
    assert {row.path: row.reason for row in list_recordings(mine)} == {
        "good.wav": None,
        name: "unreadable",
    }
    tracks, failures, _ = copy_folder(mine, tmp_path / "corpus")
    assert [track.track_id for track in tracks] == ["good"]
    assert [(one.path, one.reason) for one in failures] == [(name, "unreadable")]
    status, said = propose(mine)
    assert status == 1
    assert name in said
    assert "Permission denied" in said
    assert "for 1 file in" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_the_right_to_read_is_the_systems(mine: Path, tmp_path: Path) -> None:
    (mine / "secret.wav").write_bytes((mine / "good.wav").read_bytes())
    (mine / "secret.wav").chmod(0)
    _, failures, _ = copy_folder(mine, tmp_path / "corpus")
    assert [(one.path, one.reason) for one in failures] == [("secret.wav", "unreadable")]


@pytest.mark.fault(
    "corpus stage and leitmotif propose",
    "two names that differ in Unicode's normal form alone",
    outcome="both are used, under names that can be told apart",
)
def test_names_that_look_the_same(mine: Path, tmp_path: Path) -> None:
    for number, form in enumerate(("NFC", "NFD"), start=1):
        name = unicodedata.normalize(form, "Élan")
        samples = np.random.default_rng(number).normal(0, 0.1, 8 * made.RATE)
        soundfile.write(mine / f"{name}.wav", samples, made.RATE)
    (mine / "good.wav").unlink()
    if len(list(mine.iterdir())) < 2:
        pytest.skip("this file system takes both forms for one name")
    tracks, failures, _ = copy_folder(mine, tmp_path / "corpus")
    assert failures == []
    assert len({track.track_id for track in tracks}) == 2
    assert len({track.path for track in tracks}) == 2
    assert {track.sha256 for track in tracks} == {sha256_file(path) for path in mine.iterdir()}
    status, said = propose(mine)
    assert (status, "for 2 files" in said) == (0, True)
    rows = read_table(tmp_path / "out.jsonl", Listed)
    assert all(str(mine) in row.track for row in rows)


@pytest.mark.fault(
    "leitmotif propose and the function",
    "samples that are NaN or infinite, in a file of floating-point numbers",
    outcome="non_finite, by name; the others are done",
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, -1])
def test_what_is_not_a_number_is_named(value: float, at: int, mine: Path) -> None:
    samples = made.tone(seconds=8)
    samples[at] = value
    soundfile.write(mine / "odd.wav", samples, made.RATE, subtype="FLOAT")
    status, said = propose(mine)
    assert status == 1
    assert "odd.wav has samples that are no numbers" in said
    assert "for 1 file in" in said
    with pytest.raises(AudioError) as caught:
        leitmotif.propose(mine / "odd.wav")
    assert caught.value.reason == "non_finite"


@pytest.mark.fault(
    "leitmotif propose and the function",
    "samples that are integers, in a file of floating-point numbers",
    outcome="out_of_range, by name; the others are done",
)
def test_what_is_not_scaled_is_named(mine: Path) -> None:
    samples = made.tone(seconds=8) * 32_767
    soundfile.write(mine / "odd.wav", samples, made.RATE, subtype="FLOAT")
    status, said = propose(mine)
    assert status == 1
    assert "odd.wav is not scaled" in said
    assert "for 1 file in" in said
    with pytest.raises(AudioError) as caught:
        leitmotif.propose(mine / "odd.wav")
    assert caught.value.reason == "out_of_range"


@pytest.mark.fault(
    "corpus stage and leitmotif propose",
    "a whole file with no samples, one or a few",
    outcome="its length is 0, nothing is proposed, the others are done",
)
@pytest.mark.parametrize("samples", [0, 1, 100])
@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
def test_recordings_without_length(samples: int, kind: str, mine: Path, tmp_path: Path) -> None:
    path = mine / f"short.{kind.lower()}"
    soundfile.write(path, made.tone(seconds=1)[:samples], made.RATE, format=kind)
    outcome = "read"
    try:
        assert decode_whole(path).seconds == samples / made.RATE
    except AudioError as error:
        outcome = error.reason
    assert outcome in ("read", "undecodable", "truncated")
    tracks, failures, _ = copy_folder(mine, tmp_path / "corpus")
    assert len(tracks) + len(failures) == 2
    status, said = propose(mine)
    assert status == int(outcome != "read")
    assert "short" in said
    assert {row.track for row in read_table(tmp_path / "out.jsonl", Listed)} <= {"good"}
    if outcome == "read":
        assert leitmotif.propose(path) == []


CHANGES: dict[str, Callable[[Path], object]] = {
    "written": lambda path: path.write_bytes(path.read_bytes()[:-2]),
    "grown": lambda path: path.write_bytes(path.read_bytes() + b"\0\0"),
    "replaced": lambda path: path.write_bytes(b"") or os.utime(path, ns=(0, 0)),
    "removed": Path.unlink,
}


@pytest.mark.fault(
    "recording",
    "changed, replaced or removed while it is read",
    outcome="changed; nothing is kept under its old hash",
)
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_read(change: str, mine: Path) -> None:
    path = mine / "good.wav"

    def read() -> None:
        with verified(path, sha256_file(path)):
            load_audio(path, sample_rate=made.RATE)
            CHANGES[change](path)

    with pytest.raises(AudioError) as caught:
        read()
    assert caught.value.reason == "changed"
    assert "good.wav was changed" in str(caught.value)


@pytest.mark.fault(
    "corpus stage",
    "a recording is written to, or gone, when it is copied",
    outcome="changed or unreadable; the others are done",
)
@pytest.mark.parametrize("change", ["grown", "removed"])
def test_a_file_that_changes_while_it_is_copied(
    change: str, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = mine / "late.wav"
    late.write_bytes((mine / "good.wav").read_bytes())
    opened = corpus_folder.open_regular

    class Changing(io.FileIO):
        """A file to which somebody writes while it is read."""

        def read(self, size: int = -1) -> bytes:
            found = super().read(size)
            if found and late.stat().st_size < 1_000_000:
                with late.open("ab") as more:
                    more.write(b"more")
            return found

    def changing(path: Path) -> object:
        if path != late:
            return opened(path)
        if change == "removed":
            late.unlink()
            return opened(path)
        return Changing(path)

    monkeypatch.setattr(corpus_folder, "open_regular", changing)
    tracks, failures, _ = copy_folder(mine, tmp_path / "corpus")
    assert [track.track_id for track in tracks] == ["good"]
    (failure,) = failures
    assert failure.reason == ("changed" if change == "grown" else "unreadable")
    assert not (tmp_path / "corpus" / "audio" / "late.wav").exists()


@pytest.mark.fault(
    "leitmotif propose",
    "a recording is gone when its turn comes",
    outcome="unreadable, by name; the others are done",
)
def test_a_file_that_is_gone(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = mine / "gone.wav"
    gone.write_bytes((mine / "good.wav").read_bytes())
    opened = decode.opened

    def removing(path: Path) -> object:
        if path == gone:
            gone.unlink(missing_ok=True)
        return opened(path)

    monkeypatch.setattr(decode, "opened", removing)
    status, said = propose(mine)
    assert status == 1
    assert "gone.wav cannot be read" in said
    assert "for 1 file in" in said
