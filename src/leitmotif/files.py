"""Whole files or none: atomic writes, hashes, and the JSON tables that stages exchange.

Every write goes to a temporary name in the target's folder, is flushed to the disk, and is then
renamed over the target, so a reader sees the old file or the new one and never half of one.
"""

import difflib
import errno
import hashlib
import json
import math
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from leitmotif.errors import FullDiskError, LeitmotifError, StoreError
from leitmotif.replacing import (
    TEMPORARY_SUFFIX,
    begin,
    end,
    recover,
    remove_leftovers,
    replace_folder,
)

Row = TypeVar("Row", bound=BaseModel)
_REPRODUCE = "run `dvc repro` for the stage that writes it, or `dvc pull` it"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


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
    first.

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
                for file in temporary.rglob("*"):
                    if file.is_file():
                        with file.open("rb") as flushed:
                            os.fsync(flushed.fileno())
            replace_folder(temporary, path)
        finally:
            end(temporary)


def _prepare(path: Path, right: Callable[[int], bool], expected: str) -> None:
    """Make the folder of a target, remove leftovers, and refuse a target of another kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
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


def difference(name: str, old: str, new: str) -> str:
    """Two texts of a file as a unified diff, ``NAME before`` and ``NAME now``; empty if equal."""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True),
        new.splitlines(keepends=True),
        f"{name} before",
        f"{name} now",
    )
    return "".join(lines)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write several files, all of which are on the disk before the first gets its name.

    They get their names in the order given.
    """
    with ExitStack() as stack:
        for path, text in reversed(list(texts.items())):  # the stack ends with the first
            stack.enter_context(atomic(path)).write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` with sorted keys and a final newline, so that two versions diff line by line.

    Raises LeitmotifError, which names the place, for NaN and infinity, which JSON cannot hold.
    """
    try:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise LeitmotifError(
            f"{path} was not written: it would hold what is not a number",
            found=", ".join(_not_finite(value)) or error,
            expected="finite numbers",
        ) from error
    write_text(path, text + "\n")


def _not_finite(value: Any, place: str = "") -> Iterator[str]:
    """Places in a value of dicts and lists that hold NaN or infinity, such as ``a.0.b is nan``."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{place or 'it'} is {value}"
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    items = value.items() if isinstance(value, Mapping) else ()
    for key, inner in items:
        yield from _not_finite(inner, f"{place}.{key}" if place else str(key))


def read_bytes(
    path: Path, *, fix: str = _REPRODUCE, error: type[LeitmotifError] = LeitmotifError
) -> bytes:
    """Read a file; raises ``error``, with what to do, if it is missing, no file, or unreadable.

    A pipe or a device is refused, since reading one may never end.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise error(f"{path} cannot be read", found=kind_of(mode), expected="a file", fix=fix)
        return path.read_bytes()
    except FileNotFoundError:
        raise error(f"{path} does not exist", fix=fix) from None
    except (OSError, ValueError) as problem:  # ValueError: NUL in the name
        raise error(f"{path} cannot be read", found=problem, fix=fix) from problem


def read_text(
    path: Path, *, fix: str = _REPRODUCE, error: type[LeitmotifError] = LeitmotifError
) -> str:
    """Read UTF-8 text, as every text file of this project is.

    A byte order mark is left out, and a line that ends in CR LF ends in LF.

    Raises ``error``, with what to do, as ``read_bytes`` does, and for bytes that are not UTF-8 or
    hold NUL.
    """
    content = read_bytes(path, fix=fix, error=error)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        _not_text(path, "the byte order mark of UTF-16 or UTF-32", error)
    if (nul := content.find(0)) >= 0:
        _not_text(path, f"NUL at byte {nul}, as UTF-16 and binary files have", error)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        _not_text(path, f"byte {content[problem.start]:#04x} at {problem.start}", error)
    return text.replace("\r\n", "\n")


def _not_text(path: Path, found: str, error: type[LeitmotifError]) -> NoReturn:
    raise error(
        f"{path} is not UTF-8 text",
        found=found,
        expected="UTF-8",
        fix="save it as UTF-8, or restore it from git or with `dvc pull`",
    )


def parse_json(text: str) -> Any:
    """Parse JSON strictly; raises ValueError for what other readers would take otherwise.

    That is a key given twice, NaN and infinity, a number that reads as infinity, half of a
    surrogate pair, which is no text, and nesting beyond what Python can follow.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_distinct, parse_constant=_no_number, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if "\\u" in text and _LONE_SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise ValueError("an escape is half of a surrogate pair, which is no character")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {repeated!r} is given twice")
    return values


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is beyond any number that can be stored")
    return value


def read_json(
    path: Path, *, fix: str = _REPRODUCE, error: type[LeitmotifError] = LeitmotifError
) -> Any:
    """Read a JSON file; raises ``error`` with its name if it is missing, torn or not strict."""
    try:
        return parse_json(read_text(path, fix=fix, error=error))
    except ValueError as problem:
        raise error(f"{path} is not JSON", found=problem, fix=fix) from problem


def write_table(path: Path, rows: Iterable[BaseModel]) -> int:
    """Write one JSON object a line, keys sorted; returns the number of rows.

    A table without rows is one empty line: of a file of no bytes DVC warns at every run.
    """
    count = 0
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            fields = row.model_dump(mode="json")
            try:
                line = json.dumps(fields, sort_keys=True, ensure_ascii=False, allow_nan=False)
            except ValueError as error:
                raise LeitmotifError(
                    f"{path} was not written: row {count + 1} holds what is not a number",
                    found=fields,
                    expected="finite numbers",
                ) from error
            file.write(line + "\n")
            count += 1
        if not count:
            file.write("\n")
    return count


def read_table(path: Path, model: type[Row]) -> list[Row]:
    """Read JSON lines as ``model`` rows; an error names the file, the line and the field."""
    rows = []
    text = read_text(path)
    # Not splitlines(): it also breaks at U+2028 and its like, which JSON strings may hold.
    lines = text.removesuffix("\n").split("\n") if text.strip("\n") else []
    for number, line in enumerate(lines, start=1):
        try:
            # Strict: a text such as "nan" is no number.
            rows.append(model.model_validate_json(line, strict=True))
            parse_json(line)
        except ValueError as error:
            raise LeitmotifError(
                f"{path}:{number} is not a {model.__name__}",
                found=line_problem(error),
                expected=f"an object with {', '.join(model.model_fields)}",
                fix=_REPRODUCE,
            ) from error
    return rows


def line_problem(error: ValueError) -> str:
    """What is wrong with a line of JSON: the field and the rule, as pydantic found, or the text."""
    if not isinstance(error, ValidationError):
        return f"the line: {error}"
    problem = error.errors()[0]
    field = ".".join(str(part) for part in problem["loc"]) or "the line"
    return f"{field}: {problem['msg']}"


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes as 64 hex digits, read in constant memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """SHA-256 of ``value`` as canonical JSON (sorted keys, no spaces): the address of some work."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
