"""Puts the sections of a comparison together; every change is a row of exactly one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from leitmotif.errors import counted
from leitmotif.share.compare.cached import cached_outputs, cached_tables, inputs_table
from leitmotif.share.compare.checks import checks, lens_and_swaps
from leitmotif.share.compare.conclusions import approaches, conclusions
from leitmotif.share.compare.document import Cell, Data, Document, Row, Section, TableBlock
from leitmotif.share.compare.inventory import Inventory, inventory, name_of
from leitmotif.share.compare.leaves import ABSENT
from leitmotif.share.compare.listening import REPORT, listening
from leitmotif.share.compare.metrics import Changed, changed_values, table
from leitmotif.share.compare.pictures import Pictures, lines_changed, plots
from leitmotif.share.compare.protocol import protocol
from leitmotif.share.compare.reading import (
    Two,
    Unreadable,
    parse_csv,
    parse_json,
    parse_rows,
    parse_yaml,
    read_two,
)
from leitmotif.share.compare.rows import TableChange, as_table, table_change
from leitmotif.share.revisions import Revision


@dataclass(frozen=True)
class Options:
    """What a comparison has besides the two revisions."""

    pictures: Pictures | None = None
    """None for no pictures."""
    report: str | None = REPORT
    """Path or URL of the listening report; None for no links to it."""
    check: Path | None = None
    """What ``leitmotif check --json`` wrote of the new revision."""


def compare(old: Revision, new: Revision, options: Options = Options()) -> Document:
    """Compare settings, metrics, tables, plots and outputs of two revisions.

    A file that cannot be read is named, with the reason, and everything else is compared.
    """
    listed = inventory(old, new)
    settings = [read_two(old, new, path, parse_yaml) for path in listed.settings]
    metrics = {path: read_two(old, new, path, parse_json) for path in listed.metrics}
    tables = [read_two(old, new, path, parse_rows) for path in listed.tables]
    tables += cached_tables(listed, new.root)
    csvs = [read_two(old, new, path, parse_csv) for path in listed.plots]
    others = [read_two(old, new, path, str) for path in listed.others]
    every = [*settings, *metrics.values(), *tables, *csvs, *others]

    changed = {two.path: table_change(two) for two in tables if two.readable and not two.same_bytes}
    values = [value for path, two in metrics.items() for value in _changed(name_of(path), two)]
    set_values = {two.path: _changed(two.path, two) for two in settings}
    concluded, rest = conclusions(values, _readable(metrics), changed)
    approached, rest = approaches(rest, _readable(metrics).get("metrics/summary.json"))
    horizons = next((two for two in tables if two.path == "data/horizons.jsonl"), None)
    checked, rest = checks(rest, horizons, inputs_table(old, new))
    heard, rest = lens_and_swaps(rest)
    sections = [
        _settings(settings, set_values),
        concluded,
        protocol(options.check),
        approached,
        checked,
        heard,
        _other_metrics(rest),
        Section("Tables", (), [as_table(change) for change in changed.values() if change.rows]),
        plots(csvs, old, new, options.pictures),
        listening(changed.get("data/verdicts.jsonl"), options.report),
        cached_outputs(listed),
        _files(every, others, listed),
    ]
    title: Cell = ("Comparison of ", Data(new.name), " with ", Data(old.name))
    document = Document(title, (), sections)
    if not document.changes:
        return Document(title, [("Nothing changed.",)], [protocol(options.check)])
    return Document(
        title, [_counts([*chain(*set_values.values())], values, changed, document)], sections
    )


def _settings(files: Sequence[Two], values: Mapping[str, Sequence[Changed]]) -> Section:
    """Settings that changed; those of a file that is new or gone are folded below its name."""
    whole = {two.path: two for two in files if ABSENT in (two.old, two.new)}
    tables = table([v for path, of in values.items() if path not in whole for v in of], "settings")
    for path, two in whole.items():
        word = "new" if two.old is ABSENT else "gone"
        caption: Cell = (Data(path), f": {word}, ", counted(len(values[path]), "setting"))
        tables += table(values[path], "settings", caption=caption, folded=True)
    return Section("Settings", (), tables)


def _readable(files: Mapping[str, Two]) -> Mapping[str, Two]:
    return {name: two for name, two in files.items() if two.readable}


def _changed(name: str, two: Two) -> list[Changed]:
    return changed_values(name, two) if two.readable and not two.same_bytes else []


def _other_metrics(values: Sequence[Changed]) -> Section:
    caption: Cell = (f"{counted(len(values), 'other value')}",)
    return Section("Other metrics", (), table(values, "metrics", caption=caption, folded=True))


def _files(every: Sequence[Two], others: Sequence[Two], listed: Inventory) -> Section:
    """Files of which no value can be shown: not readable, or changed in another way."""
    rows = []
    for two in every:
        sides = (("old", two.old), ("new", two.new))
        reasons = [f"{word}: {side.reason}" for word, side in sides if isinstance(side, Unreadable)]
        if two.same_bytes:
            continue
        if reasons:
            rows.append(Row(((Data(two.path),), ("not readable, ", Data("; ".join(reasons)))), 1))
        elif two in others:
            rows.append(Row(((Data(two.path),), ("changed",)), 1))
        elif _same_values(two):
            rows.append(Row(((Data(two.path),), ("other bytes with the same values",)), 1))
    lines: list[Cell] = [
        ("Outputs are not all known: ", Data(problem)) for problem in listed.problems
    ]
    tables = [TableBlock(("files",), ("file", ""), rows, most=40)] if rows else []
    return Section("Files", lines, tables)


def _same_values(two: Two) -> bool:
    """Whether a comparison value by value finds nothing in two files that differ."""
    if two.path.endswith(".jsonl"):
        return not table_change(two).rows
    if two.path.endswith(".csv"):
        return not any(lines_changed(two))
    return not changed_values("", two)


def _counts(
    settings: Sequence[Changed],
    metrics: Sequence[Changed],
    tables: Mapping[str, TableChange],
    document: Document,
) -> Cell:
    """How much changed, in one line."""
    rows = [row for change in tables.values() for row in change.rows]
    changed = sum(bool(change.rows) for change in tables.values())
    parts = [
        counted(sum(value.changes for value in settings), "setting"),
        counted(sum(value.changes for value in metrics), "value") + " of metrics",
        f"{counted(len(rows), 'row')} of {counted(changed, 'table')}",
    ]
    known = ", ".join(part for part in parts if not part.startswith("0 ")) or "Other files"
    return (f"{known} changed; {counted(document.changes, 'change')} in all.",)
