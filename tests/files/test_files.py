"""Files and folders are replaced whole or not at all."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from leitmotif.errors import LeitmotifError, StoreError
from leitmotif.files import (
    atomic,
    atomic_folder,
    replacing,
    write_text,
)


def test_atomic_replaces_the_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "below" / "file.txt"
    write_text(target, "a much longer first version\n")
    write_text(target, "second\n")
    assert target.read_text() == "second\n"
    assert list(target.parent.iterdir()) == [target]


def test_an_exception_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    write_text(target, "old")

    def interrupted() -> None:
        with atomic(target) as temporary:
            temporary.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_target_is_untouched_until_the_body_ends(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    with atomic(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.parent == target.parent  # a rename within one file system
    assert target.read_text() == "new"


@pytest.mark.fault("file", "process killed while it writes", outcome="the old file stays whole")
def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    write_text(target, "old")
    program = (
        "import os, sys; from pathlib import Path; from leitmotif.files import atomic\n"
        "with atomic(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(target)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert target.read_text() == "old"
    left = [path.name for path in tmp_path.iterdir() if path != target]
    assert [name.startswith(".file.txt.") and name.endswith(".partial") for name in left] == [True]


def test_flushed_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, order = tmp_path / "file.txt", []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append("flush"), fsync(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda a, b: (order.append("rename"), replace(a, b))[1])
    write_text(target, "text")
    assert order == ["flush", "rename"]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    for name in ("first.txt", "second.txt"):
        with atomic_folder(target) as staging:
            (staging / name).write_text(name)
        assert [path.name for path in target.iterdir()] == [name]
    assert list(tmp_path.iterdir()) == [target]


def test_an_exception_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with atomic_folder(target) as staging:
        (staging / "old.txt").write_text("old")

    def interrupted() -> None:
        with atomic_folder(target) as staging:
            (staging / "new.txt").write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in target.iterdir()] == ["old.txt"]
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_killed_run_left_of_a_folder_is_removed(tmp_path: Path) -> None:
    gone = f"{2**40}.partial"  # a number that no process has
    alive = f"{os.getppid()}-1.partial"
    for name in (f".out.{gone}", f".out.{alive}", f".other.{gone}", f".out.5.{gone}"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half.txt").write_text("half")
    with atomic_folder(tmp_path / "out"):
        pass
    kept = {"out", f".out.{alive}", f".other.{gone}", f".out.5.{gone}"}
    assert {path.name for path in tmp_path.iterdir()} == kept


@pytest.mark.fault("file", "a run is killed while it writes", outcome="the next removes its rest")
def test_what_a_killed_run_left_of_a_file_is_removed(tmp_path: Path) -> None:
    (tmp_path / f".a.txt.{2**40}-0.partial").write_text("half")
    (tmp_path / f".b.txt.{2**40}-0.partial").write_text("half")
    (tmp_path / f".a.txt.{os.getppid()}-0.partial").write_text("being written")
    write_text(tmp_path / "a.txt", "whole")
    names = {"a.txt", f".a.txt.{os.getppid()}-0.partial", f".b.txt.{2**40}-0.partial"}
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.fault(
    "folder",
    "writers on other machines are killed over its files",
    outcome="the finished folder has nothing of them",
)
def test_a_finished_folder_has_nothing_half_written(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "out") as staging:
        (staging / "site").mkdir()
        (staging / "site" / "whole.partial").write_text("a name of one's own")
        (staging / "site" / f".track.{os.getppid()}-3@0123456789ab.partial").write_text("half")
    assert [path.name for path in (tmp_path / "out/site").iterdir()] == ["whole.partial"]


def test_a_folder_of_a_run_that_ended_is_not_made_again(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "out") as staging:
        write_text(staging / "site" / "track", "in time")
    with pytest.raises(StoreError, match=r"(?s)not written.*has ended"):
        write_text(staging / "site" / "late", "late")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_temporaries_of_other_machines_are_left_for_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / f".a.txt.{2**40}-0@0123456789ab.partial"
    old = tmp_path / f".a.txt.{2**40}-1@0123456789ab.partial"
    for path in (elsewhere, old):
        path.write_text("half")
    os.utime(old, (0, 0))
    write_text(tmp_path / "a.txt", "whole")
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", elsewhere.name}

    monkeypatch.setattr(replacing, "marks", [])
    replacing.mark_process()
    unmarked = tmp_path / f".b.txt.{2**40}-0.partial"  # of the stage, which a worker does not see
    unmarked.write_text("being written")
    assert not replacing.process_is_gone(unmarked)
    assert "@" in replacing.begin(tmp_path / "c.txt").name


KILLED = """
import os, sys
from pathlib import Path
from leitmotif import files
from leitmotif.files import replacing
if sys.argv[2] == "without":
    replacing.exchange = lambda first, second: False
calls = 0
def dying(function):
    def called(*arguments, **options):
        global calls
        calls += 1
        if calls == int(sys.argv[3]):
            os.kill(os.getpid(), 9)
        return function(*arguments, **options)
    return called
Path.rename, Path.unlink = dying(Path.rename), dying(Path.unlink)
replacing.exchange = dying(replacing.exchange)
replacing.shutil.rmtree = dying(replacing.shutil.rmtree)
with files.atomic_folder(Path(sys.argv[1])) as folder:
    (folder / "a").write_text("new")
    (folder / "b").write_text("new")
"""


@pytest.mark.fault(
    "folder", "a kill before each step of its replacement", outcome="the old or the new one, whole"
)
@pytest.mark.parametrize("exchange", ["with", "without"])
def test_a_kill_leaves_the_old_folder_or_the_new_one(tmp_path: Path, exchange: str) -> None:
    for step in range(1, 7):
        target = tmp_path / str(step) / "out"
        target.mkdir(parents=True)
        (target / "a").write_text("old")
        program = [sys.executable, "-c", KILLED, str(target), exchange, str(step)]
        done = subprocess.run(program, check=False, timeout=300)
        if exchange == "without":
            replacing.recover(target)  # as the next start does
        files = {path.name: path.read_text() for path in target.iterdir()}
        assert files in ({"a": "old"}, {"a": "new", "b": "new"})
        if done.returncode == 0:
            assert files == {"a": "new", "b": "new"}
            return
    pytest.fail("it was killed at every step")


def test_a_folder_of_a_run_that_ended_is_not_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker elsewhere writes for a run that was killed, while the next run clears up."""
    left = tmp_path / f".out.{2**40}-0.partial"
    left.mkdir()
    make, refused, going = Path.mkdir, [], [left]

    def gone(path: Path, *rest: object, **more: object) -> None:
        """In the moment in which the writer makes its folder."""
        while going:
            shutil.rmtree(going.pop())
        make(path, *rest, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", gone)
        with pytest.raises(StoreError, match="the run that made its folder has ended"):
            write_text(left / "site" / "track.txt", "late")
    assert not list(tmp_path.iterdir())

    write_text(left.with_name("out") / "a.txt", "old")
    make(left)
    remove_tree = shutil.rmtree

    def written_into(folder: Path, **more: bool) -> None:
        """In the moment in which the next run removes the folder."""
        with pytest.raises(StoreError, match="the run that made its folder has ended"):
            write_text(left / "site" / "track.txt", "late")
        refused.append(folder)
        remove_tree(folder, **more)

    monkeypatch.setattr(replacing.shutil, "rmtree", written_into)
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "a.txt").write_text("new")
    assert refused
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "a.txt").read_text() == "new"


@pytest.mark.fault("target", "a folder, pipe or device in its place", outcome="refused, untouched")
def test_a_file_does_not_take_the_place_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(LeitmotifError, match="cannot be written"):
            write_text(tmp_path / name, "text")
    write_text(tmp_path / "file", "mine")
    with pytest.raises(LeitmotifError, match="cannot be written"), atomic_folder(tmp_path / "file"):
        pytest.fail("no work was to be done")
    with pytest.raises(LeitmotifError, match="cannot be written"):
        write_text(tmp_path / "file" / "below", "text")
    with pytest.raises(LeitmotifError, match="cannot be written"):
        write_text(tmp_path / ("x" * 256), "text")
    write_text(tmp_path / ("x" * 255), "text")
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "pipe", "file", "x" * 255}
    assert (tmp_path / "file").read_text() == "mine"
