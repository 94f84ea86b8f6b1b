"""Finished tensors, kept by the address of the work that made them.

DVC deletes a stage's outputs before it runs the stage, so what an interrupted run has finished
must live elsewhere. An entry's file name states its address and its SHA-256: it appears whole, by
one rename, and can be checked before it is used again. The folder may be deleted at any time; that
costs the work only.
"""

import errno
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from leitmotif.files import atomic, explained_full_disk, sha256_file
from leitmotif.files.replacing import TEMPORARY_SUFFIX, process_is_gone
from leitmotif.tensors import TensorFile

_SECONDS_TO_WRITE = 600.0
"""Longer than any entry takes to be written."""
_ENTRY = re.compile(r"([0-9a-f]{64})\.([0-9a-f]{64})\.safetensors", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """A finished tensor file."""

    path: Path
    sha256: str
    bytes: int


class WorkCache:
    """The entries below one folder. Processes may share it that do different pieces of work."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: dict[str, str] = {}
        root.mkdir(parents=True, exist_ok=True)
        for path in root.iterdir():
            if path.name.endswith(TEMPORARY_SUFFIX):
                if not _is_being_written(path):  # of a killed run
                    path.unlink(missing_ok=True)
            elif match := _ENTRY.fullmatch(path.name):
                self._names[match[1]] = path.name

    @property
    def addresses(self) -> list[str]:
        """Of the entries, sorted; they may be damaged."""
        return sorted(self._names)

    def find(self, address: str) -> Entry | None:
        """Return the entry if it is there and whole; a damaged one is deleted."""
        name = self._names.get(address)
        if name is None:
            return None
        path, sha256 = self.root / name, name.split(".")[1]
        if path.is_file() and sha256_file(path) == sha256:
            return Entry(path, sha256, path.stat().st_size)
        path.unlink(missing_ok=True)
        del self._names[address]
        return None

    def put(self, address: str, file: TensorFile) -> Entry:
        """Write a finished tensor to the disk; raises StoreError when the disk is full."""
        path = self.root / f"{address}.{file.sha256}.safetensors"
        with explained_full_disk(path):
            file.write(path)
        self._names[address] = path.name
        return Entry(path, file.sha256, file.bytes)

    def remove(self, address: str) -> None:
        """Delete an entry, if it is there."""
        if name := self._names.pop(address, None):
            (self.root / name).unlink(missing_ok=True)


def _is_being_written(path: Path) -> bool:
    """Whether a temporary file of ``files.atomic`` is new and its process still there.

    New, because the number of a process that ended is given to another in time.
    """
    try:
        return not process_is_gone(path) and time.time() - path.stat().st_mtime < _SECONDS_TO_WRITE
    except FileNotFoundError:
        return False


def place(entry: Entry, target: Path) -> None:
    """Make ``target`` an independent copy of an entry, sharing its blocks where possible.

    Never a link: DVC and people may write into the target. Raises StoreError on a full disk.
    """
    with explained_full_disk(target), atomic(target) as temporary:
        if not _copy_in_kernel(entry.path, temporary, entry.bytes):
            shutil.copyfile(entry.path, temporary)


def _copy_in_kernel(source: Path, target: Path, size: int) -> bool:
    """Copy by copy_file_range, which btrfs and xfs turn into shared blocks; False: not possible."""
    if not hasattr(os, "copy_file_range"):
        return False
    with source.open("rb") as reading, target.open("wb") as writing:
        done = 0
        while done < size:
            try:
                copied = os.copy_file_range(reading.fileno(), writing.fileno(), size - done)
            except OSError as error:
                if error.errno in (errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP):
                    return False
                raise
            if copied == 0:
                return False
            done += copied
    return True
