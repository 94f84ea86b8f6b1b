"""Formats numbers, intervals and lists as text within a width."""

from collections.abc import Iterable, Sequence
from typing import TypeGuard, cast

from leitmotif.errors import counted
from leitmotif.report.words import framed
from leitmotif.tables.base import LARGEST

WIDTH = 100
"""Maximum width of a line."""
NOTHING = "-"
"""Text for unknown values."""


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number that can be shown; larger ones no program has written."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def count(value: object) -> str:
    """A whole number, with commas."""
    return f"{value:,}" if isinstance(value, int) and is_number(value) else NOTHING


def counts(value: object, noun: str) -> str:
    """A whole number and its noun, as ``counted`` says it; of what is not known, ``- tracks``."""
    if count(value) == NOTHING:
        return f"{NOTHING} {noun}s"
    return counted(cast("int", value), noun)


def yes(value: object) -> str:
    """``yes`` or ``no``, for True and False."""
    if not isinstance(value, bool):
        return NOTHING
    return "yes" if value else "no"


def mean(value: object, form: str) -> str:
    """A number, or the mean of an interval, in the format ``form``."""
    if isinstance(value, dict):
        value = value.get("mean")
    return format(value, form) if is_number(value) else NOTHING


def interval(value: object, form: str, *, of: str, changed: bool = False) -> str:
    """An interval such as ``+87.5 (55.8 to 96.6; 16 pieces, p 0.0001)``.

    ``of`` is what it is over; with ``changed`` it says how many of them changed. Where none did,
    that is all there is to say: the interval would be that of their number alone. A number without
    an interval stays a number.
    """
    middle = mean(value, form)
    if not isinstance(value, dict) or middle == NOTHING:
        return middle
    low, high = (mean(value.get(key), form.replace("+", "")) for key in ("low", "high"))
    n, p, moved = value.get("n"), value.get("p"), value.get("changed")
    if moved == 0 and count(n) != NOTHING:
        return f"{middle} (0 of {counts(n, of)} changed)"
    return framed(
        middle,
        low,
        high,
        n=n if count(n) != NOTHING else None,
        p=p if is_number(p) else None,
        changed=moved if changed and isinstance(moved, int) else None,
        of=of,
    )


def one_line(value: object) -> str:
    """Text without line breaks, without two spaces in a row, and without what a screen obeys."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())


def on_screen(text: object) -> str:
    """Text of any lines, in which what a screen would obey, and is no character, is escaped."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode()
        for c in str(text)
    )


def column(value: object, width: int) -> str:
    """A column of ``width`` characters, the last of them a space."""
    text = NOTHING if value is None else one_line(value)
    return f"{cut(text, width - 1):<{width}}"


def cut(text: str, width: int = WIDTH) -> str:
    """Text of at most ``width`` characters; … replaces the rest."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def listed(start: str, items: Sequence[str]) -> str:
    """``start``, as many items as fit in a line, and the number of further items."""
    for shown in range(len(items), 0, -1):
        more = f", and {len(items) - shown} more" if shown < len(items) else ""
        line = start + ", ".join(items[:shown]) + more
        if len(line) <= WIDTH:
            return line
    return f"{start}{len(items)}, of long names"


def first_rows(rows: Iterable[list[str]], most: int, what: str) -> list[str]:
    """Lines of the first rows, at most ``most``, and a line with the number of omitted rows."""
    rows = list(rows)
    lines: list[str] = []
    for number, row in enumerate(rows):
        left = len(rows) - number - 1
        if len(lines) + len(row) > most - (left > 0):
            return [*lines, f"  and {left + 1} more {what}"]
        lines += row
    return lines
