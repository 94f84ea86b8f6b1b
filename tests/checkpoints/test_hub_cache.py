"""The hub's cache: what is damaged, missing or full there is named, and is never a model."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from leitmotif.errors import ModelError
from leitmotif.files import sha256_file
from leitmotif.musicgen import HookedMusicGen
from tests.disk import enlarge, small_disk
from tests.hub import LARGE, serve_hub
from tests.tiny import save_tiny_checkpoint

NAME, REVISION = "someone/tiny", "0123456789abcdef0123456789abcdef01234567"
LOAD = (
    "from leitmotif import HookedMusicGen\n"
    f"HookedMusicGen.from_pretrained({NAME!r}, revision={REVISION!r}, device='cpu')"
)


def fault(what: str, outcome: str) -> pytest.MarkDecorator:
    return pytest.mark.fault("the hub's cache", what, outcome=outcome)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny")


@pytest.fixture
def cached(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The snapshot of a whole cache, which the hub's client uses without a network."""
    hub = tmp_path / "hub"
    snapshot = hub / "models--someone--tiny" / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    blobs = snapshot.parents[1] / "blobs"
    blobs.mkdir()
    for file in folder.iterdir():
        name = sha256_file(file)
        blob = blobs / (name if file.suffix in LARGE else name[:40])
        shutil.copy(file, blob)
        (snapshot / file.name).symlink_to(blob)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return snapshot


def load() -> HookedMusicGen:
    return HookedMusicGen.from_pretrained(NAME, revision=REVISION, device="cpu")


def flipped(blob: Path) -> None:
    content = bytearray(blob.read_bytes())
    content[-1000] ^= 64
    blob.write_bytes(content)


DAMAGE = [
    pytest.param(flipped, id="a flipped bit"),
    pytest.param(lambda blob: os.truncate(blob, 1000), id="cut"),
    pytest.param(lambda blob: os.truncate(blob, 0), id="empty"),
    pytest.param(lambda blob: blob.write_bytes(b"<html>"), id="another file"),
]


@pytest.mark.parametrize("damage", DAMAGE)
@fault("weights that were changed or cut there", "ModelError that says which file to delete")
def test_damaged_weights_are_no_model(cached: Path, damage: Callable[[Path], object]) -> None:
    assert load().fingerprint
    blob = (cached / "model.safetensors").resolve()
    damage(blob)
    with pytest.raises(ModelError, match="damaged in the hub's cache") as caught:
        load()
    assert str(blob) in str(caught.value)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("lost", ["blob", "link", "snapshot"])
@fault("a file, its link or the snapshot is not there", "ModelError that speaks of the network")
def test_what_is_missing_is_said(cached: Path, file: str, lost: str) -> None:
    if lost == "blob":
        (cached / file).resolve().rename(cached.parents[1] / "blobs" / "a.incomplete")
    elif lost == "link":
        (cached / file).unlink()
    else:
        shutil.rmtree(cached)
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE"):
        load()


def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """In a process of its own, because huggingface_hub reads its settings when imported."""
    return subprocess.run(
        [sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True, check=False
    )


@fault("a full disk while it downloads", "FullDiskError; with more room it loads")
def test_a_full_disk_is_not_the_models_fault(folder: Path, tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "small", 1 << 16) as home,
        serve_hub({NAME: folder}, revision=REVISION) as hub,
    ):
        done = run(hub.environment(home))
        assert "FullDiskError" in done.stderr, done.stderr
        assert "HF_HOME" in done.stderr
        enlarge(home, 64 << 20)
        again = run(hub.environment(home))
    assert again.returncode == 0, again.stderr


@fault("HF_HOME is a file", "ModelError that names it")
def test_a_cache_that_is_no_folder_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with serve_hub({NAME: folder}, revision=REVISION) as hub:
        done = run(hub.environment(tmp_path / "home"))
    assert "ModelError" in done.stderr, done.stderr
    assert "set HF_HOME to another folder" in done.stderr


@fault("two processes fill it at once", "both load the same model")
def test_two_processes_fill_it(folder: Path, tmp_path: Path) -> None:
    with serve_hub({NAME: folder}, revision=REVISION) as hub:
        environment = hub.environment(tmp_path)
        both = [subprocess.Popen([sys.executable, "-c", LOAD], env=environment) for _ in range(2)]
        assert [process.wait() for process in both] == [0, 0]
