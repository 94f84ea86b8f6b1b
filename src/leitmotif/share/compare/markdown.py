"""A document as Markdown of GitHub and GitLab, at most as long as a comment may be.

Text from files is put into code spans, where neither HTML nor links nor mentions are seen.
"""

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from leitmotif.errors import LeitmotifError, counted
from leitmotif.share.compare.document import (
    Break,
    Cell,
    Data,
    Document,
    Image,
    Inline,
    Link,
    Section,
    Strong,
    TableBlock,
    left_out,
)

CAP = 60_000
"""Characters of a comment. GitHub takes 65,536, GitLab a million."""
MARKER = "<!-- leitmotif compare -->"
"""First line, by which the comment is found again."""
_LEAST_CAP = 4_000
_WORDS = re.compile(r"[a-z]+(?:-[a-z]+)*(?:,? [a-z]+(?:-[a-z]+)*)*")
"""Text that is the same in any Markdown: words, such as a verdict's."""
_SPECIAL = re.compile(r"([\\`*_\[\]~|#@])")


def to_markdown(document: Document, cap: int = CAP) -> str:
    """The document in at most ``cap`` characters, with ``MARKER`` first.

    Rows that do not fit are counted where they would stand, the last tables' first. Tables of which
    not even the caption fits are counted at the end of their section.

    Raises LeitmotifError for a cap that the headings alone exceed.
    """
    tables = document.tables
    shown = [len(table.rows) if table.most is None else table.most for table in tables]
    shown = [min(most, len(table.rows)) for most, table in zip(shown, tables, strict=True)]
    text = _render(document, shown)
    while len(text) > cap:
        if not _shorten(tables, shown, len(text) - cap):
            raise LeitmotifError(
                "the comparison does not fit",
                found=f"{counted(len(text), 'character')} of headings",
                expected=f"a limit of at least {max(cap + 1, _LEAST_CAP):,}",
            )
        text = _render(document, shown)
    return text


_HIDDEN = -1
"""Instead of a number of rows: the table is only counted."""


def _shorten(tables: Sequence[TableBlock], shown: list[int], excess: int) -> bool:
    """Show fewer rows, of the last tables first; False if there is nothing left to leave out."""
    before = list(shown)
    for number in reversed(range(len(tables))):
        while shown[number] > 0 and excess > 0:
            shown[number] -= 1
            excess -= len(_row(tables[number].rows[shown[number]].cells))
        if excess <= 0:
            return True
    for number in reversed(range(len(tables))):
        if shown[number] == 0 and excess > 0:
            excess -= len("\n".join(_table(tables[number], 0)))
            shown[number] = _HIDDEN
    return shown != before


def not_shown(document: Document, shown: Sequence[int]) -> int:
    """How many changes are only counted if each table shows that many rows."""
    return sum(
        table.changes if rows == _HIDDEN else table.counted(rows)
        for table, rows in zip(document.tables, shown, strict=True)
    )


def _render(document: Document, shown: Sequence[int]) -> str:
    parts = [MARKER, f"## {line(document.title)}", *map(line, document.lines)]
    start = 0
    for section in document.sections:
        end = start + len(section.tables)
        parts += _section(section, shown[start:end])
        start = end
    if left := not_shown(document, shown):
        parts.append(
            f"Of {counted(document.changes, 'change')}, {document.changes - left:,} are shown and "
            f"{left:,} only counted."
        )
    return "\n\n".join(parts) + "\n"


def _section(section: Section, shown: Sequence[int]) -> Iterator[str]:
    if not section.lines and not section.tables:
        return
    yield f"### {section.title}"
    yield from map(line, section.lines)
    hidden = []
    for table, rows in zip(section.tables, shown, strict=True):
        if rows == _HIDDEN:
            hidden.append(table)
        else:
            yield "\n".join(_table(table, rows))
    if hidden:
        changes = sum(table.changes for table in hidden)
        yield f"and {counted(len(hidden), 'more table')} with {counted(changes, 'change')}"


def _table(table: TableBlock, shown: int) -> list[str]:
    lines = []
    if table.folded:
        lines += [f"<details><summary>{_html(table.caption)}</summary>", ""]
    elif table.caption:
        lines += [line(table.caption), ""]
    for picture in table.pictures:
        lines += [_inline(picture), ""]
    if shown:
        lines.append(_row([(column,) for column in table.columns]))
        lines.append("|" + "---|" * len(table.columns))
        lines += [_row(row.cells) for row in table.rows[:shown]]
    if rest := left_out(table, shown):
        lines += ["", line(rest)] if shown else [line(rest)]
    if table.folded:
        lines += ["", "</details>"]
    return lines


def _row(cells: Sequence[Cell]) -> str:
    lines = ("".join(_inline(part, in_table=True) for part in cell) for cell in cells)
    return "| " + " | ".join(text or " " for text in lines) + " |"


def line(cell: Cell) -> str:
    """One line of Markdown, outside a table."""
    return "".join(map(_inline, cell))


def _inline(part: Inline, in_table: bool = False) -> str:
    if isinstance(part, Data):
        # A table is cut into cells before code spans are seen.
        return code(part.text).replace("|", "\\|") if in_table else code(part.text)
    if isinstance(part, Break):
        return "<br>"
    if isinstance(part, Strong):
        return f"**{_words(part.text)}**" if part.text else ""
    if isinstance(part, Link):
        return f"[{_words(part.text)}]({_target(part.target)})"
    if isinstance(part, Image):
        return f"![{_words(part.alt)}]({_target(part.source)})"
    return _words(part)


def code(text: str) -> str:
    """Text of any kind as a code span in one line; plain words stay as they are."""
    text = printable(text)
    if _WORDS.fullmatch(text):
        return text
    if not text.strip():
        return f"({len(text)} spaces)" if text else "(empty)"
    runs = re.findall("`+", text)
    fence = "`" * (max(map(len, runs), default=0) + 1)
    space = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    return f"{fence}{space}{text}{space}{fence}"


def printable(text: str) -> str:
    """Text in one line: line breaks as ⏎; characters that are not seen, or turn others, as �."""
    text = text.replace("\r\n", "⏎").replace("\n", "⏎").replace("\t", " ")
    return "".join("�" if unicodedata.category(c) in _UNSEEN else c for c in text)


_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _words(text: str) -> str:
    escaped = html.escape(printable(text), quote=False)
    return _SPECIAL.sub(r"\\\1", escaped)


def _html(cell: Cell) -> str:
    parts = []
    for part in cell:
        if isinstance(part, Data):
            parts.append(f"<code>{html.escape(printable(part.text))}</code>")
        elif isinstance(part, Strong):
            parts.append(f"<b>{html.escape(printable(part.text))}</b>")
        elif isinstance(part, str):
            parts.append(html.escape(printable(part)))
        else:
            raise TypeError("links and pictures have no place in a caption that unfolds")
    return "".join(parts)


def _target(target: str) -> str:
    return quote(target, safe="/:#?&=%+.-_~")
