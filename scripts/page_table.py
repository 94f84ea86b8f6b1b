"""A table that a script writes between two marks of a page, and checks."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from leitmotif.files import write_text


def with_table(text: str, table: Sequence[str], *, first: str, last: str) -> str:
    """The text of a page with these lines between its marks ``first`` and ``last``."""
    before, _, rest = text.partition(first)
    _, _, after = rest.partition(last)
    return "\n".join([before + first, "", *table, "", last + after])


def write_or_check(
    page: Path,
    table: Callable[[], Sequence[str]],
    *more: tuple[str, str, Callable[[], Sequence[str]]],
    first: str,
    last: str,
    purpose: str | None,
) -> None:
    """The command of such a script: write the table, or with ``--check`` end with 1 if it is old.

    ``purpose`` is the script's docstring; ``more`` are marks of other tables, and what makes them.
    """
    parser = argparse.ArgumentParser(description=str(purpose).partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    text = page.read_text(encoding="utf-8")
    new = text
    for before, after, made in ((first, last, table), *more):
        new = with_table(new, made(), first=before, last=after)
    if check:
        sys.exit(int(new != text))
    write_text(page, new)
