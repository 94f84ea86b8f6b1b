import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif.errors import StoreError
from leitmotif.store.cache.entries import WorkCache, place
from leitmotif.tensors import TensorFile, serialise

ADDRESS = "a" * 64


def tensor(seed: int = 0) -> TensorFile:
    return serialise({"x": np.random.default_rng(seed).standard_normal((20, 8))[:, :4].astype(
        np.float16
    )}, {})  # fmt: skip


def test_what_is_put_is_found_also_by_the_next_process(tmp_path: Path) -> None:
    put = WorkCache(tmp_path).put(ADDRESS, tensor())
    entry = WorkCache(tmp_path).find(ADDRESS)
    assert entry == put
    assert entry is not None
    assert hashlib.sha256(entry.path.read_bytes()).hexdigest() == entry.sha256
    assert WorkCache(tmp_path).find("b" * 64) is None


@pytest.mark.fault("work cache", "any flipped bit or lost byte", outcome="noticed")
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_flipped_bit_or_lost_byte_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    cache = WorkCache(tmp_path_factory.mktemp("cache"))
    entry = cache.put(ADDRESS, tensor())
    content = bytearray(entry.path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans(), label="truncate"):
        del content[position:]
    else:
        content[position] ^= 1 << data.draw(st.integers(0, 7))
    entry.path.write_bytes(content)
    assert WorkCache(cache.root).find(ADDRESS) is None
    assert not entry.path.exists()


@pytest.mark.fault("work cache", "an entry deleted", outcome="made again")
def test_a_deleted_entry_is_not_found(tmp_path: Path) -> None:
    cache = WorkCache(tmp_path)
    cache.put(ADDRESS, tensor()).path.unlink()
    assert cache.find(ADDRESS) is None


@pytest.mark.fault(
    "work cache", "process killed", outcome="half-written entries removed, other files stay"
)
def test_what_a_killed_run_left_half_written_is_removed_and_other_files_stay(
    tmp_path: Path,
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for process in (ended.pid, f"{ended.pid}-3"):
        name = f".{ADDRESS}.{'c' * 64}.safetensors.{process}.partial"
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / "note.txt").write_text("mine")
    WorkCache(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_what_another_process_is_writing_stays(tmp_path: Path) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:
        writing = tmp_path / f".{ADDRESS}.{'c' * 64}.safetensors.{other.pid}.partial"
        writing.write_bytes(b"half")
        WorkCache(tmp_path)
        assert writing.exists()
        # The number of a process that was killed long ago, given to another since.
        os.utime(writing, (0, 0))
        WorkCache(tmp_path)
        assert not writing.exists()
        other.stdin.close()


def test_a_placed_file_is_independent_of_the_entry(tmp_path: Path) -> None:
    cache = WorkCache(tmp_path / "cache")
    entry = cache.put(ADDRESS, tensor())
    target = tmp_path / "out" / "site" / "track.safetensors"
    place(entry, target)
    assert target.read_bytes() == entry.path.read_bytes()
    assert not target.is_symlink()
    assert target.stat().st_nlink == 1
    target.write_bytes(b"scribbled over")
    assert cache.find(ADDRESS) == entry


@pytest.mark.fault("work cache", "a file system that cannot copy", outcome="placed all the same")
@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EXDEV, errno.EOPNOTSUPP])
def test_placing_works_where_the_kernel_cannot_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(error, "no")

    monkeypatch.setattr("os.copy_file_range", refuse)
    entry = WorkCache(tmp_path / "cache").put(ADDRESS, tensor())
    place(entry, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == entry.path.read_bytes()


@pytest.mark.fault("work cache", "full disk", outcome="named error, nothing half written")
def test_a_full_disk_is_explained_and_nothing_half_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = WorkCache(tmp_path / "cache")
    entry = cache.put(ADDRESS, tensor())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    message = r"(?s)disk is full.*MB free.*run the stage again"
    with pytest.raises(StoreError, match=message):
        cache.put("b" * 64, tensor(1))
    with pytest.raises(StoreError, match=message):
        place(entry, tmp_path / "out" / "file")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [entry.path]
