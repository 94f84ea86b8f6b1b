"""Whole files or none: atomic writes, hashes, and the JSON tables that stages exchange.

Every write goes to a temporary name in the target's folder, is flushed to the disk, and is then
renamed over the target, so a reader sees the old file or the new one and never half of one.
"""

import difflib
import errno
import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from leitmotif.errors import LeitmotifError, StoreError

Row = TypeVar("Row", bound=BaseModel)

TEMPORARY_SUFFIX = ".partial"


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success flush it and rename it over ``path``.

    If the body raises, the temporary file is removed and ``path`` is left as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside ``path``; on success flush it and let it take ``path``'s place.

    If the body raises, the new folder is removed and ``path`` is left as it was. What a killed run
    left beside ``path`` is removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*{TEMPORARY_SUFFIX}"):
        if leftover.is_dir():
            shutil.rmtree(leftover)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    replaced = path.with_name(f".{path.name}.replaced{TEMPORARY_SUFFIX}")
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                with file.open("rb") as flushed:
                    os.fsync(flushed.fileno())
        if path.exists():
            path.rename(replaced)
        temporary.rename(path)
        if replaced.exists():
            shutil.rmtree(replaced)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)


@contextmanager
def explained_full_disk(path: Path, what: str | None = None) -> Iterator[None]:
    """Turn "no space left on device" into a StoreError that says how to go on.

    It says ``what`` has happened: that ``path`` was not written, if not told otherwise.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = shutil.disk_usage(path.parent).free
        raise StoreError(
            f"the disk is full: {what or f'{path} was not written'}",
            found=f"{free / 1e6:.0f} MB free",
            fix="free some space and run the stage again; what is finished will be reused",
        ) from error


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


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` with sorted keys and a final newline, so that two versions diff line by line.

    Raises ValueError on NaN and infinity, which JSON cannot hold.
    """
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; raises LeitmotifError with its name if it is missing or torn."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LeitmotifError(f"{path} does not exist", fix=_REPRODUCE) from None
    except ValueError as error:
        raise LeitmotifError(f"{path} is not JSON", found=error, fix=_REPRODUCE) from error


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
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LeitmotifError(f"{path} does not exist", fix=_REPRODUCE) from None
    except UnicodeDecodeError as error:
        raise LeitmotifError(f"{path} is not UTF-8 text", found=error, fix=_REPRODUCE) from error
    # Not splitlines(): it also breaks at U+2028 and its like, which JSON strings may hold.
    lines = text.removesuffix("\n").split("\n") if text.strip("\n") else []
    for number, line in enumerate(lines, start=1):
        try:
            # Strict: a text such as "nan" is no number.
            rows.append(model.model_validate_json(line, strict=True))
        except ValidationError as error:
            problem = error.errors()[0]
            field = ".".join(str(part) for part in problem["loc"]) or "the line"
            raise LeitmotifError(
                f"{path}:{number} is not a {model.__name__}",
                found=f"{field}: {problem['msg']}",
                expected=f"an object with {', '.join(model.model_fields)}",
                fix=_REPRODUCE,
            ) from error
    return rows


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes as 64 hex digits, read in constant memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """SHA-256 of ``value`` as canonical JSON (sorted keys, no spaces): the address of some work."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


_REPRODUCE = "run `dvc repro` for the stage that writes it, or `dvc pull` it"
