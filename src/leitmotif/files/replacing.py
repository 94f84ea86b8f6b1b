"""How a new file or folder takes the place of an old one, and what killed runs left of that.

A writer works under a temporary name beside its target, ``.NAME.PROCESS-NUMBER.partial``. The name
says to which target and to which process it belongs, so that the next writer of that target can
remove it once the process is gone, and only then. On a machine of a cluster the process has a mark
besides (``-NUMBER@MARK``), for other machines have processes of the same number.
"""

import ctypes
import errno
import hashlib
import itertools
import os
import re
import secrets
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

TEMPORARY_SUFFIX = ".partial"
_TEMPORARY = re.compile(r"\.(.+)\.(\d+)(?:-\d+)?(?:@([0-9a-f]+))?\.partial", re.DOTALL | re.ASCII)
_LONGEST = 200
"""Bytes of a name that still leave room for the rest of a temporary name."""
_AT_FDCWD, _RENAME_EXCHANGE, _RENAME_SWAP = -100, 2, 2
_NOT_OFFERED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM)

_SECONDS_ELSEWHERE = 86_400
"""After which a temporary of a process that cannot be seen from here counts as left."""

_numbers = itertools.count()
marks: list[str] = []
"""The mark of this process, if it has one."""
_written_here: set[Path] = set()
"""Temporaries of this process whose bodies have not ended."""
_leftovers: dict[Path, dict[str, list[Path]]] = {}
"""By folder and by target: what was there when this process first wrote a file in the folder."""


def mark_process() -> None:
    """Give this process a mark of its own: others that share its files run on other machines."""
    if not marks:
        marks.append(secrets.token_hex(6))


def begin(path: Path) -> Path:
    """Return a temporary name for ``path`` that nobody else uses; ``end`` gives it back."""
    mark = f"@{marks[0]}" if marks else ""
    name = f".{_stem(path)}.{os.getpid()}-{next(_numbers)}{mark}{TEMPORARY_SUFFIX}"
    temporary = path.with_name(name)
    _written_here.add(temporary)
    return temporary


def end(temporary: Path) -> None:
    """Remove what is left under a temporary name."""
    remove(temporary)
    _written_here.discard(temporary)


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it, if it is there.

    A folder with a temporary name first gets another one: a worker elsewhere that still writes
    there, for a run that is gone, does not find it any more.
    """
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
    elif match := _TEMPORARY.fullmatch(path.name):
        away = begin(path.with_name(match[1]))
        try:
            with suppress(FileNotFoundError):  # another process has just done the same
                path.rename(away)
                _remove_tree(away)
        finally:
            _written_here.discard(away)
    else:
        _remove_tree(path)


def _remove_tree(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:  # what a worker had begun before the folder got another name
        if error.errno not in (errno.ENOTEMPTY, errno.ENOENT):
            raise
        shutil.rmtree(folder, ignore_errors=True)


def make_folder_of(path: Path) -> bool:
    """Make the folder that ``path`` lies in; returns False if the run that made it has ended.

    That is: ``path`` lies in a folder with a temporary name, and this folder is gone. It is never
    made anew, not even if it goes in this moment.
    """
    missing = []
    for above in path.parents:
        if above.exists():
            break
        if _TEMPORARY.fullmatch(above.name):
            return False
        missing.append(above)
    try:
        for above in reversed(missing):
            above.mkdir(exist_ok=True)
    except FileNotFoundError:
        if any(_TEMPORARY.fullmatch(above.name) and not above.exists() for above in path.parents):
            return False
        raise
    return True


def process_is_gone(temporary: Path) -> bool:
    """Whether a path has a temporary name of a process that does not run any more.

    Of a process that may run on another machine, whether it is a day old.
    """
    match = _TEMPORARY.fullmatch(temporary.name)
    if match is None or temporary in _written_here:
        return False
    if match[3] is not None or marks:
        return _is_old(temporary)
    process = int(match[2])
    if process == os.getpid():  # of an earlier process with this number, as containers give it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # another user's
        return False
    return False


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _SECONDS_ELSEWHERE
    except FileNotFoundError:
        return False


def remove_leftovers(path: Path, *, again: bool = False) -> None:
    """Remove what killed writers of ``path`` left beside it.

    The folder is searched once in a process, or ``again``: a folder may hold many files.
    """
    folder = path.parent
    if again or folder not in _leftovers:
        left: dict[str, list[Path]] = {}
        for entry in folder.iterdir():
            if match := _TEMPORARY.fullmatch(entry.name):
                left.setdefault(match[1], []).append(entry)
        _leftovers[folder] = left
    for leftover in _leftovers[folder].pop(_stem(path), []):
        if process_is_gone(leftover):
            remove(leftover)


def remove_temporaries(folder: Path) -> None:
    """Remove what killed writers left in a finished folder, in which nobody writes any more."""
    for entry in list(folder.rglob(f".*{TEMPORARY_SUFFIX}")):
        if _TEMPORARY.fullmatch(entry.name):
            remove(entry)


def replace_folder(temporary: Path, path: Path) -> None:
    """Let a finished folder take ``path``'s place; the old one is removed.

    A kill leaves the old folder or the new one under its name. Where the system cannot exchange
    two names in one step, there is a moment between two renames, which ``recover`` mends.
    """
    if not os.path.lexists(path):
        temporary.rename(path)
    elif not exchange(temporary, path):
        aside = _aside(path)
        path.rename(aside)
        temporary.rename(path)
        remove(aside)


def recover(path: Path) -> None:
    """Finish what a kill between the two renames of ``replace_folder`` left undone."""
    aside = _aside(path)
    if not aside.is_dir():
        return
    if os.path.lexists(path):
        remove(aside)
    else:
        aside.rename(path)


def exchange(first: Path, second: Path) -> bool:
    """Exchange what two names stand for, in one step.

    Returns False, with nothing changed, if the system or the file system does not offer that.
    Raises OSError if it fails for another reason.
    """
    names = os.fsencode(first), os.fsencode(second)
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin":
        if not hasattr(library, "renamex_np"):
            return False
        failed = library.renamex_np(*names, ctypes.c_uint(_RENAME_SWAP))
    else:
        if not hasattr(library, "renameat2"):
            return False
        failed = library.renameat2(
            _AT_FDCWD, names[0], _AT_FDCWD, names[1], ctypes.c_uint(_RENAME_EXCHANGE)
        )
    if not failed:
        return True
    code = ctypes.get_errno()
    if code in _NOT_OFFERED:
        return False
    raise OSError(code, os.strerror(code), str(first), None, str(second))


def _stem(path: Path) -> str:
    """The target's name in a temporary name; a long name is replaced by its hash."""
    name = os.fsencode(path.name)
    return path.name if len(name) <= _LONGEST else hashlib.sha256(name).hexdigest()[:32]


def _aside(path: Path) -> Path:
    return path.with_name(f".{_stem(path)}.replaced{TEMPORARY_SUFFIX}")
