"""The working tree and the cache are compared with dvc.lock."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leitmotif.cli import app
from leitmotif.share.outs import revision_outs
from leitmotif.share.remote.workspace import check_workspace
from leitmotif.share.revisions import working_tree

TRACK, FILE = "data/features/track_1.bin", "data/probes.bin"


def object_of(root: Path, path: str) -> Path:
    (oid,) = [out.md5 or "" for out in revision_outs(working_tree(root)) if out.path == path]
    return root / ".dvc/cache/files/md5" / oid[:2] / oid[2:]


def change(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def flipped(path: Path) -> None:
    content = path.read_bytes()
    change(path, bytes([content[0] ^ 1]) + content[1:])


def test_a_finished_run_is_as_dvc_lock_says(repository: Path) -> None:
    for full in (False, True):
        checked = check_workspace(repository, full=full)
        assert checked.deviations == checked.absent == ()
        assert (checked.outs, checked.files) == (4, 4 * 2 + 2 + 2 + 1)


DAMAGE: dict[str, tuple[Callable[[Path], None], str, bool]] = {
    "a tensor flipped": (lambda root: flipped(root / TRACK), f"{TRACK} (features), working", True),
    "a tensor cut": (lambda root: change(root / TRACK, b"x"), "1 byte, not 2,000", False),
    "a tensor gone": (lambda root: (root / TRACK).unlink(), f"{TRACK} (features), working", False),
    "a file added": (
        lambda root: (root / "data/features/more").touch(),
        "data/features/more (features), working tree: not in dvc.lock",
        False,
    ),
    "a metric changed": (lambda root: flipped(root / "probes.json"), "probes.json (probes)", True),
    "the cache flipped": (
        lambda root: flipped(object_of(root, FILE)),
        f"{FILE} (probes), cache: its content has changed",
        True,
    ),
    "the cache cut": (lambda root: change(object_of(root, FILE), b""), "0 bytes, not", False),
    "the cache without it": (
        lambda root: object_of(root, FILE).unlink(),
        f"{FILE} (probes), cache: missing",
        False,
    ),
    "a listing torn": (
        lambda root: change(object_of(root, "data/features"), b"[{"),
        "data/features (features), cache: the list of its files is damaged",
        False,
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.fault(
    "outputs of all stages",
    "bytes flipped, cut or gone, files added, in the working tree and in the cache",
    outcome="leitmotif verify names the file, its stage and where; --full needed for flipped bytes",
)
def test_damage_is_named(repository: Path, damage: str) -> None:
    injure, named, full = DAMAGE[damage]
    injure(repository)
    assert bool(check_workspace(repository).deviations) == (not full)
    (deviation,) = check_workspace(repository, full=True).deviations
    assert named in str(deviation)


@pytest.mark.fault(
    "outputs of all stages", "a flipped byte in a folder whose listing is lost", outcome="found"
)
def test_a_folder_without_its_listing_is_hashed_whole(repository: Path) -> None:
    object_of(repository, "data/features").unlink()
    (missing,) = check_workspace(repository, full=True).deviations
    assert missing.where == "cache"
    flipped(repository / TRACK)
    changed = check_workspace(repository, full=True).deviations[-1]
    assert str(changed) == "data/features (features), working tree: a file of it has changed"
    (repository / TRACK).unlink()
    assert "3 files" in check_workspace(repository).deviations[-1].what


def test_what_was_not_pulled_is_no_damage(repository: Path) -> None:
    shutil.rmtree(repository / ".dvc/cache")
    shutil.rmtree(repository / "data/features")
    (repository / FILE).unlink()
    shutil.rmtree(repository / "data/report")
    checked = check_workspace(repository, full=True)
    assert checked.deviations == ()
    assert checked.absent == ("data/features", FILE, "data/report")


def test_the_command_says_how_much_was_not_there_to_check(repository: Path) -> None:
    for folder in (".dvc/cache", "data"):
        shutil.rmtree(repository / folder)
    done = CliRunner().invoke(app, ["verify"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == (
        "what is here: no problem found; 3 of 4 outputs are not here"
    )


def test_the_command_says_what_to_do(repository: Path) -> None:
    done = CliRunner().invoke(app, ["verify", "--full"])
    assert done.exit_code == 0, done.output
    assert "all outputs: no problem found" in done.output
    flipped(repository / TRACK)
    assert CliRunner().invoke(app, ["verify"]).exit_code == 0
    done = CliRunner().invoke(app, ["verify", "--full"])
    assert done.exit_code == 1
    assert TRACK in done.output
    assert "dvc checkout" in done.output
