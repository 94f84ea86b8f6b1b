"""The most memory that this process and all that it starts hold at a time, measured."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SECONDS_BETWEEN_LOOKS = 0.5


@dataclass
class Peak:
    """What was measured, in bytes."""

    host: int = 0
    """The largest sum over the processes that was seen. Pages that they share count once, where the
    system says which (Linux)."""
    gpu: int = 0
    """That torch has reserved of a GPU in this process; 0 where there is none."""

    def look(self) -> None:
        """Measure now."""
        self.host = max(self.host, _held())
        self.gpu = max(self.gpu, _reserved())


@contextmanager
def watched_memory() -> Iterator[Peak]:
    """Measure twice a second until the context ends, and once more at its end."""
    peak, ended = Peak(), threading.Event()

    def watch() -> None:
        while not ended.wait(SECONDS_BETWEEN_LOOKS):
            peak.look()

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
        try:
            full = process.memory_full_info()
            total += getattr(full, "pss", full.rss)
        except psutil.Error:  # it has ended, or belongs to another user
            continue
    return total


def _reserved() -> int:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    return int(torch.cuda.max_memory_reserved())
