"""Progress of long loops: a bar on a terminal, a line every tenth of the way in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

T = TypeVar("T")


def progress(items: Iterable[T], description: str, *, total: int) -> Iterator[T]:
    """Yield ``items``, showing how many of ``total`` are done on standard error."""
    if sys.stderr.isatty():
        yield from rich_track(
            items, description, total=total, console=Console(stderr=True), transient=True
        )
        return
    start, shown = time.monotonic(), 0
    for done, item in enumerate(items, start=1):
        yield item
        tenth = 10 * done // max(total, 1)
        if tenth > shown:
            shown = tenth
            print(
                f"{description}: {done}/{total} in {time.monotonic() - start:.0f} s",
                file=sys.stderr,
                flush=True,
            )
