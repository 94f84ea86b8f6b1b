"""The decision log: one JSON-lines file per reviewer, appended to and never rewritten.

A line counts from the moment it is on the disk with its newline, and no decision is acknowledged
before. What a killed process leaves after the last newline was therefore never acknowledged: it is
completed if only the newline is missing, and set aside if it is half a line.
"""

import json
import os
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from leitmotif.errors import ReviewError
from leitmotif.files import atomic, line_problem, parse_json, read_bytes
from leitmotif.tables.decisions import ENTRY, Entry

SUFFIX = ".jsonl"
_FIX = "correct the line; `git log -p {}` shows the lines as they were written"


@dataclass(frozen=True)
class Log:
    """A log as read."""

    entries: list[Entry]
    torn: bytes
    """Half a line at the end, without its newline; empty in a sound log."""


def log_path(folder: Path, reviewer: str) -> Path:
    """Where a reviewer's decisions are."""
    return folder / f"{reviewer}{SUFFIX}"


def log_files(folder: Path) -> list[Path]:
    """The logs in ``folder``, by reviewer; none if there is no such folder."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def read_log(path: Path) -> Log:
    """Read one reviewer's log; repeated lines, as a merge can leave them, are read once.

    A byte order mark, as an editor may put it, is left out. Raises ReviewError, naming the line,
    for a line that is no decision, another reviewer's, or another decision under a key that an
    earlier line has.
    """
    if not path.exists() and not path.is_symlink():
        return Log([], b"")
    content = read_bytes(path, fix=_FIX.format(path), error=ReviewError)
    *lines, tail = content.removeprefix(BOM_UTF8).split(b"\n")
    if tail and _is_whole(tail):
        lines, tail = [*lines, tail], b""
    entries: dict[str, Entry] = {}
    for number, line in enumerate(lines, start=1):
        entry = _parse(path, number, line)
        if entries.setdefault(entry.key, entry) != entry:
            raise ReviewError(
                f"{path}:{number} has the key of an earlier line, and says something else",
                found=f"the key {entry.key}",
                expected="a key of its own, or the same line again",
                fix=_FIX.format(path),
            )
    return Log(list(entries.values()), tail)


def read_logs(paths: Iterable[Path]) -> list[Entry]:
    """Every line of several logs, reviewer by reviewer, half lines at their ends left out."""
    return [entry for path in paths for entry in read_log(path).entries]


def append(path: Path, entry: Entry) -> None:
    """Add a line and return when it is on the disk.

    The caller sees to it that nobody else writes to ``path`` meanwhile, and that its last line is
    whole (``mend``). Raises OSError when the line could not be written; the file is then as before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not waiting for a reader, should it be a pipe.
    with _opened(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK) as file:
        before = os.fstat(file).st_size
        try:
            _write(file, encode(entry))
        except OSError:
            os.ftruncate(file, before)
            raise
    if before == 0:  # the file's name has to survive a power cut too
        with _opened(path.parent, os.O_RDONLY) as folder:
            os.fsync(folder)


def mend(path: Path, aside: Path) -> Path | None:
    """Make the log end with a whole line; returns the file in ``aside`` that keeps half a line.

    Most logs are sound, and the answer is None.
    """
    if _is_sound(path):
        return None
    torn = read_log(path).torn
    if not torn:
        with _opened(path, os.O_WRONLY | os.O_APPEND) as file:
            _write(file, b"\n")
        return None
    kept = aside / f"{path.stem}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.txt"
    with atomic(kept) as temporary:
        temporary.write_bytes(torn)
    with _opened(path, os.O_WRONLY) as file:
        os.ftruncate(file, os.fstat(file).st_size - len(torn))
        os.fsync(file)
    return kept


def encode(entry: Entry) -> bytes:
    """Lay an entry out as its line: keys sorted, newline included."""
    fields = entry.model_dump(mode="json")
    return (json.dumps(fields, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    file = os.open(path, flags, 0o644)
    try:
        yield file
    finally:
        os.close(file)


def _write(file: int, line: bytes) -> None:
    rest = memoryview(line)
    while rest:  # a nearly full disk takes a part
        rest = rest[os.write(file, rest) :]
    os.fsync(file)


def _is_sound(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if not file.seek(0, os.SEEK_END):
                return True
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"
    except FileNotFoundError:
        return True


def _is_whole(tail: bytes) -> bool:
    """Whether what follows the last newline is more than the beginning of a line.

    It is a line that lacks its newline only, or several that lost theirs, which ``_parse`` refuses.
    """
    try:
        json.JSONDecoder().raw_decode(tail.decode())
    except (ValueError, RecursionError):
        return False
    return True


def _parse(path: Path, number: int, line: bytes) -> Entry:
    try:
        entry = ENTRY.validate_json(line)
        parse_json(line.decode())
    except ValueError as error:
        conflict = line.startswith((b"<<<<<<<", b"=======", b">>>>>>>"))
        raise ReviewError(
            f"{path}:{number} is no decision",
            found="the mark of a merge conflict" if conflict else line_problem(error),
            expected="a line written by the review page",
            fix=_FIX.format(path),
        ) from error
    if entry.reviewer != path.stem:
        raise ReviewError(
            f"{path}:{number} is another reviewer's",
            found=entry.reviewer,
            expected=path.stem,
            fix=f"move the line to {path.with_stem(entry.reviewer)}",
        )
    return entry
