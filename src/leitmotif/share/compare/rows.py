"""Two versions of a table, row by row: added, gone and changed."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from leitmotif.errors import counted
from leitmotif.share.compare.document import Cell, Data, Row, TableBlock
from leitmotif.share.compare.inventory import name_of
from leitmotif.share.compare.leaves import ABSENT
from leitmotif.share.compare.metrics import Changed, changed_values
from leitmotif.share.compare.reading import Two
from leitmotif.share.compare.values import difference, form_of, is_interval, separate, text, texts
from leitmotif.tables.keys import field_of, key_fields

FIRST = 5
"""Rows of a table that are shown."""
_VALUES = 3
"""Values of a row that are shown."""
JsonRow = Mapping[str, Any]


@dataclass(frozen=True)
class RowChange:
    """A row that one side lacks, or that differs."""

    name: str
    """The values of its key, or its beginning."""
    old: JsonRow | None
    new: JsonRow | None
    key: Collection[str] = ()
    """The fields that its key is made of."""
    values: Sequence[Changed] = ()
    """What changed in a row that both have."""

    @property
    def changes(self) -> int:
        """1 for a row that is added or gone, otherwise the number of leaves that changed."""
        return sum(value.changes for value in self.values) or 1


@dataclass(frozen=True)
class TableChange:
    """What changed in a table, in the order of the new one; what is gone comes last."""

    path: str
    rows: Sequence[RowChange]
    old_count: int
    new_count: int

    @property
    def added(self) -> list[RowChange]:
        """Rows that only the new table has."""
        return [row for row in self.rows if row.old is None]

    @property
    def gone(self) -> list[RowChange]:
        """Rows that only the old table has."""
        return [row for row in self.rows if row.new is None]

    @property
    def changed(self) -> list[RowChange]:
        """Rows of which values changed."""
        return [row for row in self.rows if row.old is not None and row.new is not None]


def table_change(two: Two) -> TableChange:
    """Compare two readable versions of a table; an absent one has no rows.

    Rows with the same key are the same row; the key is made of the fields that all rows have, so
    that older tables with fewer fields are compared too. Of rows that share a key, equal ones are
    matched first and the others in their order. Rows without a key are matched if they are equal.
    """
    sides = [[] if side is ABSENT else side for side in (two.old, two.new)]
    fields = key_fields(two.path, chain(*sides))
    waiting: dict[str, list[JsonRow]] = defaultdict(list)
    for row in sides[0]:
        waiting[_key(row, fields)].append(row)
    left = []
    for row in sides[1]:
        candidates = waiting[_key(row, fields)]
        equal = next((old for old in candidates if _line(old) == _line(row)), None)
        if equal is None:
            left.append(row)
        else:
            candidates.remove(equal)
    changed = []
    for row in left:
        candidates = waiting[_key(row, fields)]
        changed.append(_row_change(fields, candidates.pop(0) if candidates else None, row))
    gone = [row for rows in waiting.values() for row in rows]
    changed += [_row_change(fields, row, None) for row in gone]
    return TableChange(two.path, changed, len(sides[0]), len(sides[1]))


def as_table(change: TableChange) -> TableBlock:
    """The first rows of a table's change, folded below its counts."""
    parts = [
        f"{len(rows):,} {word}"
        for rows, word in (
            (change.added, "added"), (change.gone, "gone"), (change.changed, "changed"),
        )
        if rows
    ]  # fmt: skip
    values = sum(row.changes for row in change.changed)
    rows_before = f" (before: {change.old_count:,})" if change.old_count != change.new_count else ""
    caption: Cell = (
        Data(name_of(change.path)),
        f": {', '.join(parts)} of {counted(change.new_count, 'row')}{rows_before}",
        f", {counted(values, 'value')}" if values else "",
    )
    shown = sorted(change.rows, key=_rank)
    rows = [_shown(row) for row in shown]
    noun: Cell = ("rows of ", Data(name_of(change.path)))
    return TableBlock(noun, ("row", "", "values"), rows, caption, folded=True, most=FIRST)


def _rank(row: RowChange) -> int:
    """Added and gone rows and those with separate intervals first; stable otherwise."""
    if row.old is None or row.new is None:
        return 0
    return 0 if any(separate(value.old, value.new) for value in row.values) else 1


def _shown(row: RowChange) -> Row:
    name: Cell = (Data(row.name),)
    if row.new is None:
        return Row((name, ("gone",), ()), 1)
    if row.old is None:
        return Row((name, ("added",), _main_values(row)), 1)
    ranked = sorted(row.values, key=lambda value: not separate(value.old, value.new))
    parts: list[Any] = []
    for value in ranked[:_VALUES]:
        parts += [", " if parts else "", Data(".".join(value.path)), " ", *_step(value)]
    more = sum(value.changes for value in ranked[_VALUES:])
    if more:
        parts.append(f", and {counted(more, 'more value')}")
    return Row((name, ("changed",), tuple(parts)), row.changes, hidden=more)


def _step(value: Changed) -> Cell:
    old, new = texts(value.old, value.new, value.form)
    apart = difference(value.old, value.new, value.form)
    if is_interval(value.old) or is_interval(value.new) or apart:
        return (f"{old} → {new}",)
    return (*_cell(value.old, old), " → ", *_cell(value.new, new))


def _cell(value: Any, shown: str) -> Cell:
    return (Data(shown),) if isinstance(value, str | list) else (shown,)


def _main_values(row: RowChange) -> Cell:
    """The first values of a row that was added, without its key: verdicts and intervals first."""
    values = [
        (name, value)
        for name, value in (row.new or {}).items()
        if name not in row.key and (is_interval(value) or not isinstance(value, Mapping | list))
    ]
    values.sort(key=lambda item: (item[0] != "verdict", not is_interval(item[1])))
    parts: list[Any] = []
    for name, value in values[:_VALUES]:
        shown = text(value, form_of((name,)))
        parts += [", " if parts else "", Data(name), " ", *_cell(value, shown)]
    return tuple(parts)


def _row_change(fields: Sequence[str], old: JsonRow | None, new: JsonRow | None) -> RowChange:
    row = new or old or {}
    values = [(name, field_of(row, name)) for name in fields]
    # Words stand for themselves; a number needs to be named.
    parts = [
        value if isinstance(value, str) else f"{name.split('.')[0]} {text(value)}"
        for name, value in values
        if value not in (None, "")
    ]
    name = text(" · ".join(parts) or _line(row))
    key = {name.split(".")[0] for name in fields}
    if old is None or new is None:
        return RowChange(name, old, new, key)
    return RowChange(name, old, new, key, changed_values("", Two("", old, new, False)))


def _key(row: JsonRow, fields: Sequence[str]) -> str:
    """The key as text; for rows without one, the row itself, so that only equal ones match."""
    return json.dumps([field_of(row, name) for name in fields]) if fields else _line(row)


def _line(row: JsonRow) -> str:
    return json.dumps(row, sort_keys=True)
