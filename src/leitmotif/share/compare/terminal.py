"""A document as text for a terminal, with lines as wide as it is."""

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from leitmotif.share.compare.document import (
    Break,
    Cell,
    Data,
    Document,
    Image,
    Link,
    Strong,
    TableBlock,
    left_out,
)
from leitmotif.share.compare.markdown import printable

_FOLDED = 5
"""Rows of a table that Markdown folds."""
_COLUMN = 60
"""Characters of a column at most; longer text wraps."""


def print_document(document: Document, console: Console) -> None:
    """Print the document; of tables that Markdown folds, the first rows only."""
    console.print(_text(document.title, "bold"))
    for line in document.lines:
        console.print(_text(line))
    for section in document.sections:
        if not section.lines and not section.tables:
            continue
        console.print()
        console.print(Text(section.title, "bold"))
        for line in section.lines:
            console.print(_text(line))
        for table in section.tables:
            _print_table(table, console)


def _print_table(table: TableBlock, console: Console) -> None:
    if table.caption:
        console.print(_text(table.caption))
    for picture in table.pictures:
        console.print(Text(f"  {printable(picture.source)}"))
    shown = len(table.rows) if table.most is None else table.most
    shown = min(shown, _FOLDED) if table.folded else shown
    if shown and table.rows:
        grid = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for column in table.columns:
            grid.add_column(column, overflow="fold", max_width=_COLUMN)
        for row in table.rows[:shown]:
            grid.add_row(*map(_text, row.cells))
        console.print(grid)
    if rest := left_out(table, shown):
        console.print(_text(("  ", *rest), "dim"))


def plain(cell: Cell) -> str:
    """A line without any style."""
    return _text(cell).plain


def _text(cell: Cell, style: str = "") -> Text:
    text = Text(style=style)
    for part in cell:
        if isinstance(part, Data):
            text.append(printable(part.text) or "(empty)")
        elif isinstance(part, Strong):
            text.append(printable(part.text), "bold")
        elif isinstance(part, Link):
            text.append(f"{printable(part.text)} ({printable(part.target)})")
        elif isinstance(part, Image):
            text.append(printable(part.source))
        elif isinstance(part, Break):
            text.append("\n")
        else:
            text.append(printable(part))
    return text
