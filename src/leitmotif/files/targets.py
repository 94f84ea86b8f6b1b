"""What a command may write, and where: what it did not make, it does not touch.

Every command checks its targets here before it does any work. A target that exists is replaced only
if the user asks for it and this program made it. A folder says so by a record of its files; of a
single file its content tells.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

from leitmotif.errors import LeitmotifError, TargetError
from leitmotif.files import atomic_folder, kind_of, read_json, sha256_file, write_json
from leitmotif.files.owned import owner_of

RECORD = ".leitmotif.json"
"""Name of the list in a folder that a command made: {"files": {path: SHA-256}}."""
_REPLACE = "add --replace to write over it, or choose another place"
_ELSEWHERE = "choose another place"


def json_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file, by which a command knows its own; empty if there is none."""
    try:
        values = read_json(path)
    except LeitmotifError:
        return {}
    return values if isinstance(values, dict) else {}


def check_file(
    path: Path,
    *,
    inputs: Iterable[Path] = (),
    made: Callable[[Path], bool] | None = None,
    replace: bool = False,
) -> None:
    """Raise TargetError unless ``path`` may be written as a file.

    Parameters
    ----------
    path: the target.
    inputs: files and folders that the command reads. The target must not be one of them, lie in
        one, or hold one.
    made: whether an existing file is one that this command writes; None if such files are never
        replaced.
    replace: whether the user asks for an existing file to be replaced.
    """
    _check_place(path, inputs)
    _check_free(path)
    mode = _mode(path)
    if mode is None:
        return
    if not stat.S_ISREG(mode):
        raise _taken(path, found=kind_of(mode), expected="nothing there, or a file", fix=_ELSEWHERE)
    if made is None or not (path.stat().st_size == 0 or made(path)):
        raise _taken(path, found="a file that this command did not write", expected="nothing there")
    if not replace:
        raise _taken(path, found="a file", expected="nothing there", fix=_REPLACE)


def check_folder(path: Path, *, inputs: Iterable[Path] = (), replace: bool = False) -> None:
    """Raise TargetError unless ``path`` may be written as a folder.

    An empty folder may. Another one may if it was made by ``made_folder``, nothing was added to it
    or changed in it since, and the user asks for it. ``inputs`` and ``replace`` are those of
    ``check_file``.
    """
    _check_place(path, inputs)
    _check_free(path)
    mode = _mode(path)
    if mode is None:
        return
    if not stat.S_ISDIR(mode):
        raise _taken(
            path, found=kind_of(mode), expected="nothing there, or a folder", fix=_ELSEWHERE
        )
    present = sorted(entry.name for entry in path.iterdir())
    if not present:
        return
    if RECORD not in present:
        shown = ", ".join(present[:3]) + (", …" if len(present) > 3 else "")
        raise _taken(
            path, found=f"a folder with {shown}", expected="nothing there, or an empty folder"
        )
    if foreign := _foreign(path):
        raise _taken(
            path,
            found=f"{foreign[0]}, which was added or changed since"
            + (f", and {len(foreign) - 1} more" if len(foreign) > 1 else ""),
            expected="a folder as this program left it",
            fix=f"move what is yours out of it, or {_ELSEWHERE}",
        )
    if not replace:
        raise _taken(path, found="an older result", expected="nothing there", fix=_REPLACE)


@contextmanager
def made_folder(
    path: Path, *, inputs: Iterable[Path] = (), replace: bool = False
) -> Iterator[Path]:
    """Yield a new folder that takes ``path``'s place as a whole, with a record of its files.

    Raises TargetError as ``check_folder`` does, before the body and again after it: what somebody
    put there meanwhile stays.
    """
    inputs = list(inputs)
    check_folder(path, inputs=inputs, replace=replace)
    with atomic_folder(path) as temporary:
        yield temporary
        files = {
            file.relative_to(temporary).as_posix(): sha256_file(file)
            for file in temporary.rglob("*")
            if file.is_file()
        }
        write_json(temporary / RECORD, {"files": files})
        check_folder(path, inputs=inputs, replace=replace)


def check_editable(path: Path) -> None:
    """Raise TargetError unless a file of settings can be changed where it is.

    A link would be replaced by a file, and what it leads to would stay as it was.
    """
    if path.is_symlink():
        raise TargetError(
            f"{path} is a link, and is not changed",
            found=f"it leads to {path.readlink()}",
            expected="a file",
            fix="put the file itself there",
        )
    _check_place(path, ())


def check_apart(*targets: Path | None) -> None:
    """Raise TargetError if two targets of a command are one place, or one lies in the other.

    None is a target that the user did not ask for.
    """
    for first, second in combinations([path for path in targets if path is not None], 2):
        if overlap(first, second):
            raise TargetError(
                f"{second} cannot be written: {first} is written too, and they overlap",
                expected="a place for each",
                fix=_ELSEWHERE,
            )


def overlap(first: Path, second: Path) -> bool:
    """Whether two paths are the same place, by any name, or one lies in the other."""
    return _holds(first, second) or _holds(second, first)


def _check_place(path: Path, inputs: Iterable[Path]) -> None:
    shown = os.fsencode(path).decode("utf-8", "backslashreplace")
    if shown != str(path):
        raise TargetError(f"{shown} cannot be written", found="a name that is not UTF-8")
    if "\0" in shown or path.name in ("", ".."):
        raise TargetError(
            f"{shown!r} cannot be written", found="no name", expected="the name of what to write"
        )
    try:
        _check_parent(path)
    except OSError as error:
        raise TargetError(
            f"{shown} cannot be written", found=error.strerror, fix=_ELSEWHERE
        ) from error
    for given in inputs:
        if overlap(path, given):
            raise TargetError(
                f"{path} cannot be written: it overlaps with the input {given}",
                expected="a place apart from what is read",
                fix=_ELSEWHERE,
            )


def _check_free(path: Path) -> None:
    """Refuse a place whose content somebody else replaces or deletes."""
    if owner := owner_of(path):
        raise TargetError(
            f"{path} cannot be written",
            found=f"a place that {owner}",
            expected="a place that is yours",
            fix=_ELSEWHERE,
        )


def _check_parent(path: Path) -> None:
    folder = path.absolute().parent
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise TargetError(
            f"{path} cannot be written",
            found=f"{folder} is {'a file' if folder.is_file() else 'no folder'}",
            expected="a folder",
            fix=_ELSEWHERE,
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise TargetError(
            f"{path} cannot be written",
            found=f"no right to write in {folder}",
            fix=f"give yourself that right, or {_ELSEWHERE}",
        )
    longest = os.pathconf(folder, "PC_NAME_MAX")
    for part in path.absolute().relative_to(folder).parts:
        if len(os.fsencode(part)) > longest:
            raise TargetError(
                f"{path} cannot be written",
                found=f"a name of {len(os.fsencode(part))} bytes",
                expected=f"at most {longest}",
                fix="choose a shorter name",
            )
    if path.is_symlink():
        raise TargetError(
            f"{path} cannot be written",
            found=f"a link to {path.readlink()}",
            expected="nothing there",
            fix="name the place itself",
        )


def _mode(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None


def _holds(outer: Path, inner: Path) -> bool:
    """Whether ``inner`` is ``outer`` or lies in it, links and capital letters seen through."""
    typed_outer, typed_inner = (os.path.normpath(path.absolute()) for path in (outer, inner))
    if Path(typed_inner).is_relative_to(typed_outer):
        return True
    real_outer, real_inner = (Path(os.path.realpath(path)) for path in (outer, inner))
    if real_inner.is_relative_to(real_outer):
        return True
    if not real_outer.exists():  # nothing, or links in a circle
        return False
    return any(
        place.samefile(real_outer) for place in (real_inner, *real_inner.parents) if place.exists()
    )


def _foreign(folder: Path) -> list[str]:
    """Files and folders in ``folder`` that are not as its record has them, by name."""
    try:
        files = read_json(folder / RECORD)["files"]
        recorded = {Path(name): str(sha256) for name, sha256 in files.items()}
    except (LeitmotifError, KeyError, TypeError, AttributeError):
        return [RECORD]
    parents = {parent for name in recorded for parent in name.parents}
    foreign = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name == Path(RECORD) or (name in parents and path.is_dir() and not path.is_symlink()):
            continue
        ours = name in recorded and path.is_file() and not path.is_symlink()
        if not ours or sha256_file(path) != recorded[name]:
            foreign.append(name.as_posix())
    return foreign


def _taken(path: Path, *, found: str, expected: str, fix: str = _ELSEWHERE) -> TargetError:
    return TargetError(f"{path} is there already", found=found, expected=expected, fix=fix)
