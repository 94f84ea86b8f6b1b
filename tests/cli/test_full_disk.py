"""A result finds no room on its disk: that is said, and nothing half written is left there."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from leitmotif.cli import app
from leitmotif.config import load_params
from leitmotif.config.corpus import FolderCorpus
from leitmotif.errors import FullDiskError
from leitmotif.notebook.pieces import compose
from leitmotif.stages.corpus import corpus
from tests.disk import enlarge, small_disk

PAGE = 4096


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Eight pages, of which one is taken by an older file."""
    with small_disk(tmp_path / "disk", 8 * PAGE) as disk:
        (disk / "older").write_text("older")
        yield disk


def fill(disk: Path) -> None:
    enlarge(disk, shutil.disk_usage(disk).used)


def refused(*typed: str) -> str:
    done = CliRunner().invoke(app, [*typed])
    assert isinstance(done.exception, FullDiskError), done.exception or done.output
    return str(done.exception)


@pytest.mark.fault("leitmotif compose", "full disk", outcome="named error, nothing half written")
def test_pieces_without_room(disk: Path, repo_root: Path) -> None:
    world = str(repo_root / "models" / "organism" / "world.json")
    assert "the disk is full" in refused("compose", str(disk / "pieces"), "--world", world)
    assert contents(disk) == {"older": b"older"}


@pytest.mark.fault(
    "leitmotif propose", "full disk", outcome="named error; an older result stays whole"
)
def test_proposals_without_room(disk: Path, tmp_path: Path) -> None:
    [piece] = compose(1, seed=3)
    soundfile.write(tmp_path / "a.wav", piece.samples, piece.sample_rate)
    typed = ["propose", str(tmp_path / "a.wav"), "--out", str(disk / "rows.jsonl"), "--replace"]
    assert CliRunner().invoke(app, typed).exit_code == 0
    before = contents(disk)
    assert before["rows.jsonl"]
    fill(disk)
    assert "rows.jsonl was not written" in refused(*typed, "--all")
    assert contents(disk) == before


@pytest.mark.fault(
    "leitmotif status and check",
    "full disk for what they write as JSON",
    outcome="named error; an older file stays whole",
)
@pytest.mark.parametrize("command", ["status", "check"])
def test_reports_without_room(
    command: str, disk: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo_root)
    before = contents(disk)
    fill(disk)
    assert "said.json was not written" in refused(command, "--json", str(disk / "said.json"))
    assert contents(disk) == before


@pytest.mark.fault(
    "corpus stage, folder", "full disk", outcome="named error; no recording is blamed"
)
def test_recordings_without_room(
    disk: Path, tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / "mine" / name, np.sin(np.arange(32_000) / 20), 32_000)
    (tmp_path / "data").symlink_to(disk)
    (tmp_path / "metrics").mkdir()
    monkeypatch.chdir(tmp_path)
    watch = "data/sources/recordings.jsonl"
    settings = FolderCorpus(source="folder", path="mine", watch=watch, listings=["folder"])
    params = load_params(repo_root / "presets" / "organism.yaml")
    with pytest.raises(FullDiskError, match="corpus was not written"):
        corpus(params.model_copy(update={"corpus": settings}))
    assert contents(disk) == {"older": b"older"}
