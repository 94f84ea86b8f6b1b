"""Text and JSON files: written whole, read strictly."""

import difflib
import json
import math
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

from leitmotif.errors import LeitmotifError
from leitmotif.files.restoring import how_to_restore
from leitmotif.files.writing import atomic, kind_of

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


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
    path: Path, *, fix: str | None = None, error: type[LeitmotifError] = LeitmotifError
) -> bytes:
    """Read a file; raises ``error``, with what to do, if it is missing, no file, or unreadable.

    A pipe or a device is refused, since reading one may never end. Without a ``fix`` the advice is
    to pull the file or to run the stage that writes it.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            return path.read_bytes()
    except FileNotFoundError:
        raise error(f"{path} does not exist", fix=fix or how_to_restore()) from None
    except (OSError, ValueError) as problem:  # ValueError: NUL in the name
        fix = fix or how_to_restore()
        raise error(f"{path} cannot be read", found=problem, fix=fix) from problem
    fix = fix or how_to_restore()
    raise error(f"{path} cannot be read", found=kind_of(mode), expected="a file", fix=fix)


def read_text(
    path: Path, *, fix: str | None = None, error: type[LeitmotifError] = LeitmotifError
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
        fix=f"save it as UTF-8, restore it from git, or {how_to_restore()}",
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
    path: Path, *, fix: str | None = None, error: type[LeitmotifError] = LeitmotifError
) -> Any:
    """Read a JSON file; raises ``error`` with its name if it is missing, torn or not strict."""
    try:
        return parse_json(read_text(path, fix=fix, error=error))
    except ValueError as problem:
        raise error(f"{path} is not JSON", found=problem, fix=fix or how_to_restore()) from problem
