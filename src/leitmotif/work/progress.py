"""Progress of long loops and transfers: a bar on a terminal, a few lines in a log."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

T = TypeVar("T")

SECONDS_BETWEEN_LINES = 10.0
"""Seconds between lines in a log of a transfer of bytes."""
LEAST_SECONDS = 2.0
"""In a log nothing is said of a loop that is over before, nor twice within this time."""

_bars: Progress | None = None
"""Bars on the terminal now; a loop within a loop adds its bar to them."""


def progress(items: Iterable[T], description: str, *, total: int) -> Iterator[T]:
    """Yield ``items``, and show on standard error how many of them are done.

    On a terminal that is a bar. In a log it is a line every tenth of the way, if that takes
    ``LEAST_SECONDS``, and one at the end. A process that another one has started to share its work
    shows nothing: the other does.

    Parameters
    ----------
    items : passed on as they come.
    description : what is done, before the numbers.
    total : number of items.
    """
    if parent_process() is not None:
        yield from items
        return
    if sys.stderr.isatty():
        yield from _with_bar(items, description, total)
        return
    start = last = time.monotonic()
    done = shown = 0
    for done, item in enumerate(items, start=1):
        yield item
        now, tenth = time.monotonic(), 10 * done // max(total, 1)
        if tenth > shown and now - last >= LEAST_SECONDS:
            _print_line(description, done, total, now - start)
            shown, last = tenth, now
    seconds = time.monotonic() - start
    if shown < 10 and seconds >= LEAST_SECONDS:
        _print_line(description, done, total, seconds)


def _print_line(description: str, done: int, total: int, seconds: float) -> None:
    line = f"{description}: {done}/{total} in {seconds:.0f} s"
    print(line, file=sys.stderr, flush=True)


def _with_bar(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    with _shown_bars() as bars:
        bar = bars.add_task(description, total=total)
        try:
            for item in items:
                yield item
                bars.advance(bar)
        finally:
            bars.remove_task(bar)


@contextmanager
def _shown_bars() -> Iterator[Progress]:
    global _bars  # noqa: PLW0603
    if _bars is not None:
        yield _bars
        return
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        _bars = bars
        try:
            yield bars
        finally:
            _bars = None


@contextmanager
def byte_progress(
    description: str, *, total: int | None, done: int = 0
) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes the number of bytes just moved, and show how far that is.

    Parameters
    ----------
    description : what is moved, before the numbers.
    total : bytes in all; None if the size is not known.
    done : bytes that were there from the start.
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
