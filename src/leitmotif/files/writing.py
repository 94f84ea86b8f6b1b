"""Whole files and folders or none.

Every write goes to a temporary name in the target's folder, is flushed to the disk, and is then
renamed over the target, so a reader sees the old file or the new one and never half of one.
"""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from leitmotif.errors import FullDiskError, StoreError
from leitmotif.files.replacing import (
    TEMPORARY_SUFFIX,
    begin,
    end,
    make_folder_of,
    recover,
    remove_leftovers,
    remove_temporaries,
    replace_folder,
)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success flush it and rename it over ``path``.

    If the body raises, the temporary file is removed and ``path`` is left as it was. What killed
    runs left of ``path`` is removed first. A link is replaced, not followed.

    Raises StoreError if ``path`` is a folder, a pipe or a device, or cannot be written there.
    """
    with _explained(path):
        _prepare(path, stat.S_ISREG, "a file")
        temporary = begin(path)
        try:
            with explained_full_disk(path):
                yield temporary
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            end(temporary)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside ``path``; on success flush it and let it take ``path``'s place.

    If the body raises, the new folder is removed and ``path`` is left as it was. A kill at any
    moment leaves the old folder or the new one. What killed runs left beside ``path`` is removed
    first, and last what killed writers left half written in the new folder.

    Raises StoreError if ``path`` is something else than a folder, or cannot be written there.
    """
    with _explained(path):
        _prepare(path, stat.S_ISDIR, "a folder")
        if path.is_symlink():
            raise StoreError(f"{path} is a link", expected="a folder", fix="remove the link")
        recover(path)
        temporary = begin(path)
        try:
            temporary.mkdir()
            with explained_full_disk(path):
                yield temporary
                remove_temporaries(temporary)
                for file in temporary.rglob("*"):
                    if file.is_file():
                        with file.open("rb") as flushed:
                            os.fsync(flushed.fileno())
            replace_folder(temporary, path)
        finally:
            end(temporary)


def _prepare(path: Path, right: Callable[[int], bool], expected: str) -> None:
    """Make the folder of a target, remove leftovers, and refuse a target of another kind."""
    if not make_folder_of(path):
        raise StoreError(
            f"{path} is not written",
            found="the run that made its folder has ended",
            expected="a run that waits for it",
            fix="nothing, if that run was stopped",
        )
    remove_leftovers(path, again=right is stat.S_ISDIR)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not right(mode):
        raise StoreError(
            f"{path} cannot be written",
            found=kind_of(mode),
            expected=f"{expected}, or nothing",
            fix="move it away, or choose another place",
        )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the system says against writing at ``path`` into a StoreError."""
    try:
        yield
    except OSError as error:
        # Of another file, if the body reads one.
        places = {os.fspath(place) for place in (path, *path.parents)}
        named = os.fsdecode(error.filename) if error.filename is not None else ""
        if named not in places and TEMPORARY_SUFFIX not in named:
            raise
        raise StoreError(
            f"{path} cannot be written",
            found=error.strerror,
            fix="choose another place, or give yourself the right to write there",
        ) from error


def kind_of(mode: int) -> str:
    """What a file is by its ``st_mode``, such as ``a folder``."""
    kinds = {
        stat.S_IFREG: "a file",
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a link",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


@contextmanager
def explained_full_disk(path: Path, what: str | None = None) -> Iterator[None]:
    """Turn "no space left on device" into a FullDiskError that says how to go on.

    It says ``what`` has happened: that ``path`` was not written, if not told otherwise.
    """
    try:
        yield
    except OSError as error:
        if not is_full_disk(error):
            raise
        free = shutil.disk_usage(path.parent).free
        raise FullDiskError(
            f"the disk is full: {what or f'{path} was not written'}",
            found=f"{free / 1e6:.0f} MB free",
            fix="free some space and run the stage again; what is finished will be reused",
        ) from error


def is_full_disk(error: OSError) -> bool:
    """Whether a disk or a quota was full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
