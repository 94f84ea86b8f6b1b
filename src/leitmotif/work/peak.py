"""The most memory that this process and all that it starts hold at a time, measured."""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psutil import Process

SECONDS_BETWEEN_LOOKS = 0.5
_SHARE_OF_TIME = 0.05
"""That looking takes at most."""


@dataclass
class Peak:
    """What was measured, in bytes."""

    host: int = 0
    """The largest sum over the processes that was seen. Pages that they share count once, where the
    system says which (Linux)."""
    gpu: int = 0
    """That torch has reserved of a GPU in this process; 0 where there is none."""

    def look(self) -> None:
        """Measure now.

        The kernel walks over all pages of a process to say what it shares, and the process waits
        meanwhile. So this is asked only where the sum without sharing exceeds the peak.
        """
        processes = _processes()
        if _held(processes, shared_once=False) > self.host:
            self.host = max(self.host, _held(processes, shared_once=True))
        self.gpu = max(self.gpu, _reserved())


@contextmanager
def watched_memory() -> Iterator[Peak]:
    """Measure twice a second until the context ends, and once more at its end.

    Large processes take long to look at, and are looked at less often for that.
    """
    peak, ended = Peak(), threading.Event()

    def watch() -> None:
        pause = SECONDS_BETWEEN_LOOKS
        while not ended.wait(pause):
            started = time.perf_counter()
            peak.look()
            took = time.perf_counter() - started
            pause = max(SECONDS_BETWEEN_LOOKS, took / _SHARE_OF_TIME)

    watcher = threading.Thread(target=watch, name="memory", daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()
        peak.look()


def _processes() -> list["Process"]:
    import psutil  # of the extra pipeline

    this = psutil.Process()
    return [this, *this.children(recursive=True)]


def _held(processes: Sequence["Process"], *, shared_once: bool) -> int:
    from psutil import Error

    total = 0
    for process in processes:
        with suppress(Error):  # it has ended, or belongs to another user
            of = process.memory_full_info() if shared_once else process.memory_info()
            total += getattr(of, "pss", of.rss)
    return total


def _reserved() -> int:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    return int(torch.cuda.max_memory_reserved())
