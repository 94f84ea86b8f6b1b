"""Numbers of a page with the place that they come from: a file, a row of it, and a field."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leitmotif.report.words import interval_words
from leitmotif.tables.base import Table
from leitmotif.tables.keys import IN_FOLDERS, KEYS, field_of

_Row = Mapping[str, str]


@dataclass(frozen=True)
class Number:
    """A text and where its number is written; pages link it to the file's entry among the sources.

    ``row`` has the key fields of ``tables.keys`` with their values; it is empty for a file that is
    one object. Where several rows have these values, the number is their sum, or how many they are
    if ``field`` is empty. ``field`` may lead into fields of a field by dots.
    """

    text: str
    file: str
    row: _Row
    field: str

    @property
    def place(self) -> str:
        """Such as ``data/probes.jsonl: model planner, site layers.0.residual: partial_r2``."""
        row = ", ".join(f"{name} {value or 'empty'}" for name, value in self.row.items())
        return ": ".join(part for part in (self.file, row, self.field) if part)

    @property
    def address(self) -> str:
        """The place as JSON, for programs."""
        return json.dumps({"file": self.file, "row": dict(self.row), "field": self.field})

    @property
    def link(self) -> dict[str, str]:
        """What ``sources.js`` makes a link of."""
        return {"file": self.file, "place": self.place, "address": self.address}

    def __str__(self) -> str:
        return self.text


def number_of(
    table: Table,
    field: str,
    *,
    file: str,
    digits: int = 1,
    of: str = "piece",
    sign: bool = True,
) -> Number:
    """The interval in a field of a row of ``file``, with its place."""
    value: Any = table
    for name in field.split("."):
        value = None if value is None else getattr(value, name)
    return placed(interval_words(value, digits, of=of, sign=sign), table, field, file=file)


def placed(text: str, table: Table, field: str, *, file: str) -> Number:
    """A text of a row of ``file``."""
    values = table.model_dump(mode="json")
    key = KEYS.get(file) or IN_FOLDERS[file]
    return Number(text, file, {name: str(field_of(values, name)) for name in key}, field)


def counted_from(file: str, text: str | None = None) -> Number:
    """What follows from all rows of a file: a count, or what a figure draws."""
    return Number(file if text is None else text, file, {}, "")


Said = str | Number | Sequence[str | Number]
"""What the macro ``said`` of ``number.html`` writes: texts and numbers, one after the other."""
