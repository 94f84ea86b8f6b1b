"""Progress of long loops and transfers: a bar on a terminal, a few lines in a log."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import track as rich_track

T = TypeVar("T")

SECONDS_BETWEEN_LINES = 10.0
"""In a log, of a transfer of bytes."""


def progress(items: Iterable[T], description: str, *, total: int) -> Iterator[T]:
    """Yield ``items``, showing how many of ``total`` are done on standard error.

    In a log that is a line every tenth of the way.
    """
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


@contextmanager
def byte_progress(
    description: str, *, total: int | None, done: int = 0
) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes the number of bytes just moved, and show how far that is.

    ``total`` is None where the size is not known; ``done`` bytes were there from the start.
    """
    if sys.stderr.isatty():
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(description, total=total, completed=done)
            yield lambda count: bar.advance(task, count)
        return

    start = last = time.monotonic()

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            whole = f" of {total / 1e6:.1f}" if total else ""
            print(
                f"{description}: {done / 1e6:.1f}{whole} MB in {now - start:.0f} s",
                file=sys.stderr,
                flush=True,
            )

    yield advance
