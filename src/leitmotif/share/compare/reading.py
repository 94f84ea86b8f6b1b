"""Files of a revision, parsed as whatever JSON, YAML or CSV they hold.

Rows are read as plain JSON, never as today's row classes: the other revision may have had others.
"""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.error import YAMLError

from leitmotif.files.yaml_files import parse_yaml as parse_any_yaml
from leitmotif.share.compare.leaves import ABSENT
from leitmotif.share.revisions import Revision


@dataclass(frozen=True)
class Unreadable:
    """What stands for a file's content where it cannot be parsed."""

    reason: str


@dataclass(frozen=True)
class Two:
    """One file in two revisions: parsed, ``ABSENT``, or ``Unreadable``."""

    path: str
    old: Any
    new: Any
    same_bytes: bool

    @property
    def readable(self) -> bool:
        """Whether each side is parsed or absent."""
        return not isinstance(self.old, Unreadable) and not isinstance(self.new, Unreadable)


def read_two(old: Revision, new: Revision, path: str, parse: Callable[[str], Any]) -> Two:
    """Read and parse one file of both revisions."""
    sides = [_content(side, path) for side in (old, new)]
    old_value, new_value = (parsed(content, parse) for content in sides)
    return Two(path, old_value, new_value, same_bytes=sides[0] == sides[1])


def parse_json(text: str) -> Any:
    """JSON, with NaN and infinity as Python writes them; raises ValueError.

    A key that is given twice is refused, since one of the two values would not be seen.
    """
    try:
        return json.loads(text, object_pairs_hook=_distinct)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_rows(text: str) -> list[dict[str, Any]]:
    """JSON lines, each an object; raises ValueError with the number of a line that is not."""
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        if not isinstance(row, dict):
            raise ValueError(f"line {number} is no object")
        rows.append(row)
    return rows


def parse_yaml(text: str) -> Any:
    """YAML; raises ValueError."""
    try:
        return parse_any_yaml(text)
    except YAMLError as error:
        raise ValueError(" ".join(str(error).split())[:200]) from error


def parse_csv(text: str) -> list[dict[str, str]]:
    """Lines of a CSV file by the names in its first line; raises ValueError."""
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    if not lines:
        return []
    names = lines[0]
    if len(set(names)) < len(names):
        raise ValueError("two columns have the same name")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(names):
            raise ValueError(f"line {number} has {len(line)} columns, and the first {len(names)}")
    return [dict(zip(names, line, strict=True)) for line in lines[1:]]


def _content(side: Revision, path: str) -> bytes | Unreadable | None:
    try:
        return side.read(path)
    except OSError as error:
        return Unreadable(error.strerror or str(error))


def parsed(content: bytes | Unreadable | None, parse: Callable[[str], Any]) -> Any:
    """A file's content, parsed; ``ABSENT`` for None, and ``Unreadable`` where it cannot be."""
    if content is None:
        return ABSENT
    if isinstance(content, Unreadable):
        return content
    try:
        return parse(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return Unreadable(f"byte {error.start} is not UTF-8")
    except (ValueError, csv.Error) as error:
        return Unreadable(str(error))


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key is given twice")
    return values
