"""Changed values of settings and metrics; the parts of an interval are one row."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leitmotif.share.compare.document import Cell, Data, Row, Strong, TableBlock
from leitmotif.share.compare.leaves import ABSENT, Path, changes, value_at
from leitmotif.share.compare.reading import Two
from leitmotif.share.compare.values import (
    NOTHING,
    NumberFormat,
    difference,
    form_of,
    is_interval,
    separate,
    texts,
)

COLUMNS = ("value", "old", "new", "change")
SEPARATE = "separate"
"""What is said where the two intervals have no value in common."""


@dataclass(frozen=True)
class Changed:
    """A value that changed: a leaf, or an interval of which ``changes`` leaves did."""

    file: str
    path: Path
    old: Any
    new: Any
    changes: int

    @property
    def form(self) -> NumberFormat:
        """How its numbers are printed."""
        return form_of(self.path)


def changed_values(file: str, two: Two) -> list[Changed]:
    """What changed in a file of which both revisions are readable; ``file`` is its short name."""
    grouped: dict[Path, int] = {}
    for change in changes(two.old, two.new):
        path = change.path[:-1] if _in_interval(change.path, two) else change.path
        grouped[path] = grouped.get(path, 0) + 1
    return [
        Changed(file, path, value_at(two.old, path), value_at(two.new, path), count)
        for path, count in grouped.items()
    ]


def split(
    values: Iterable[Changed], belongs: Callable[[Changed], bool]
) -> tuple[list[Changed], list[Changed]]:
    """Those for which ``belongs`` is true, and the rest."""
    chosen: list[Changed] = []
    rest: list[Changed] = []
    for value in values:
        (chosen if belongs(value) else rest).append(value)
    return chosen, rest


def row(value: Changed, name: Cell | None = None) -> Row:
    """Name, old, new and difference of a value, by ``COLUMNS``."""
    old, new = cells(value.old, value.new, value.form)
    apart: Cell = (difference(value.old, value.new, value.form),)
    if ABSENT in (value.old, value.new):
        apart = (Strong("new" if value.old is ABSENT else "gone"),)
    if separate(value.old, value.new):
        apart = (*apart, ", ", Strong(SEPARATE))
    return Row((name or (Data(name_of(value)),), old, new, apart), value.changes)


def name_of(value: Changed) -> str:
    """Such as ``probes: place_r2``."""
    return f"{value.file}: {'.'.join(value.path)}" if value.path else value.file


def cells(old: Any, new: Any, form: NumberFormat) -> tuple[Cell, Cell]:
    """Two values, each as a cell. Text and lists come from files; numbers are as printed here."""
    pair = texts(old, new, form)
    return _cell(old, pair[0]), _cell(new, pair[1])


def table(values: Sequence[Changed], noun: str, **options: Any) -> list[TableBlock]:
    """A table of these values; none for no values."""
    if not values:
        return []
    return [TableBlock((noun,), COLUMNS, [row(value) for value in values], **options)]


def _cell(value: Any, shown: str) -> Cell:
    if value is ABSENT:
        return (NOTHING,)
    return (Data(shown),) if isinstance(value, str | list) else (shown,)


def _in_interval(path: Path, two: Two) -> bool:
    """Whether a leaf is part of an interval that can be shown in its place."""
    if not path:
        return False
    sides = [value_at(side, path[:-1]) for side in (two.old, two.new)]
    as_one = all(is_interval(side) or not isinstance(side, Mapping) for side in sides)
    return as_one and any(map(is_interval, sides))
