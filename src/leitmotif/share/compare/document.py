"""A comparison as a document: sections of tables whose rows say how many changes they hold.

It is rendered by ``markdown`` and ``terminal``. A row that is not shown is counted, so both can say
of every change that it is shown or among how many it is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from leitmotif.errors import counted


@dataclass(frozen=True)
class Data:
    """Text from a file, which may hold anything: it never becomes markup."""

    text: str


@dataclass(frozen=True)
class Strong:
    """Words of this program that stand out."""

    text: str


@dataclass(frozen=True)
class Link:
    """Words of this program that lead to a file."""

    text: str
    target: str
    """Path or URL, not escaped."""


@dataclass(frozen=True)
class Image:
    """A picture."""

    alt: str
    source: str
    """Path or URL, not escaped."""


@dataclass(frozen=True)
class Break:
    """A new line within a cell of a table."""


Inline = str | Data | Strong | Link | Image | Break
Cell = tuple[Inline, ...]
"""Parts of a line. A plain text is of this program's words, or numbers."""


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    cells: Sequence[Cell]
    changes: int
    """How many changes it stands for; 0 for a row that repeats what another table has."""
    hidden: int = 0
    """How many of them it says the number of only."""


@dataclass(frozen=True)
class TableBlock:
    """Rows below a caption."""

    noun: Cell
    """What its rows are, for "and 3 more …"."""
    columns: Sequence[str]
    rows: Sequence[Row]
    caption: Cell = ()
    folded: bool = False
    """Whether it is closed until the reader opens it; it then needs a caption."""
    most: int | None = None
    """Number of rows that are shown at most."""
    pictures: Sequence[Image] = ()
    stated: int = 0
    """Changes that the caption states, beside those of the rows."""

    @property
    def changes(self) -> int:
        """The number of changes in all rows and in the caption."""
        return self.stated + sum(row.changes for row in self.rows)

    def counted(self, shown: int) -> int:
        """How many changes are only counted if the first ``shown`` rows are shown."""
        return sum(row.hidden for row in self.rows[:shown]) + sum(
            row.changes for row in self.rows[shown:]
        )


@dataclass(frozen=True)
class Section:
    """A heading with lines and tables; left out if it has neither."""

    title: str
    lines: Sequence[Cell] = ()
    tables: Sequence[TableBlock] = ()


@dataclass(frozen=True)
class Document:
    """A whole comparison."""

    title: Cell
    lines: Sequence[Cell]
    sections: Sequence[Section] = field(default=())

    @property
    def tables(self) -> list[TableBlock]:
        """The tables of all sections."""
        return [table for section in self.sections for table in section.tables]

    @property
    def changes(self) -> int:
        """The number of changes in all rows."""
        return sum(table.changes for table in self.tables)


def left_out(table: TableBlock, shown: int) -> Cell:
    """What the rows after the first ``shown`` are, such as "and 3 more rows of probes"."""
    rest = table.rows[shown:]
    if not rest:
        return ()
    changes = sum(row.changes for row in rest)
    values = f" ({counted(changes, 'change')})" if changes not in (0, len(rest)) else ""
    return (f"and {len(rest):,} more ", *table.noun, values)
