"""The most memory that this process and all that it starts hold at a time, measured."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

SECONDS_BETWEEN_LOOKS = 0.5
_SHARE_OF_TIME = 0.05
"""Largest share of the time that looking takes."""


@dataclass
class Peak:
    """What was measured, in bytes."""

    host: int = 0
    """The largest sum over the processes that was seen. Pages that they share count once, where the
    system says which (Linux)."""
    gpu: int = 0
    """Bytes that torch has reserved of a GPU in this process; 0 where there is none."""

    def look(self) -> None:
        """Measure now."""
        self.host = max(self.host, _held())
        self.gpu = max(self.gpu, _reserved())


def pause_after(seconds: float) -> float:
    """Seconds until the next look, after one that took so many."""
    return max(SECONDS_BETWEEN_LOOKS, seconds / _SHARE_OF_TIME)


@contextmanager
def watched_memory() -> Iterator[Peak]:
    """Measure twice a second until the context ends, and once more at its end.

    The kernel walks over all pages of a process to say what it shares, and the process waits
    meanwhile. So large processes are looked at less often.
    """
    peak, ended = Peak(), threading.Event()

    def watch() -> None:
        pause = SECONDS_BETWEEN_LOOKS
        while not ended.wait(pause):
            started = time.perf_counter()
            peak.look()
            pause = pause_after(time.perf_counter() - started)

    watcher = threading.Thread(target=watch, name="memory", daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()
        peak.look()


def _held() -> int:
    import psutil  # of the extra pipeline

    this = psutil.Process()
    total = 0
    for process in (this, *this.children(recursive=True)):
        with suppress(psutil.Error):  # it has ended, or belongs to another user
            full = process.memory_full_info()
            total += getattr(full, "pss", full.rss)
    return total


def _reserved() -> int:
    # Another thread may be importing torch in this moment, and its parts are not all there.
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    is_initialized = getattr(cuda, "is_initialized", None)
    if cuda is None or is_initialized is None or not is_initialized():
        return 0
    return int(cuda.max_memory_reserved())
