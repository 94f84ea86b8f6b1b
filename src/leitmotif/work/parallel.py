"""Independent pieces of work on all processors at once.

Products here are small, so that threads wait for each other more than they work; processes do not.
Each works with one native thread, and results come in the order of the items: what is computed does
not depend on how many processors there are.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

from joblib import Parallel, cpu_count, delayed, parallel_config
from joblib.externals.loky import process_executor
from threadpoolctl import threadpool_limits

from leitmotif.errors import ConfigError

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = "LEITMOTIF_WORKERS"
"""Environment variable: how many processes, in place of one a processor. Inside of one it is 1."""
_KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": f"{2**30}", "MALLOC_TRIM_THRESHOLD_": f"{2**32}"}
"""Bytes: a process keeps what it has freed for its next array, instead of giving it back and asking
for new pages, which took a third of the time in which a codec reads."""
_SECONDS_BETWEEN_LOOKS = 1.0


def in_processes(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int | None = None
) -> Iterator[Result]:
    """Yield ``function(item)`` of each item, in their order, as soon as each is there.

    Function, items and results travel between processes and must pickle; large arrays among the
    arguments are shared and read-only. The processes are kept for the next call and end with this
    one, however it ends. With one worker, or one item, everything happens in this process.

    Parameters
    ----------
    function : what is done with each item, in a process with one native thread.
    items : taken when they are needed, so that few of many large ones are in memory.
    workers : number of processes; None: see ``number_of_workers``.

    Raises what ``function`` raises, of the first item that fails; what others have begun is
    dropped. Raises ConfigError for a ``LEITMOTIF_WORKERS`` that is no number of processes.
    """
    count = number_of_workers() if workers is None else workers
    if isinstance(items, Sized):
        count = min(count, len(items))
    if count <= 1:
        for item in items:
            with threadpool_limits(limits=1):
                result = function(item)
            yield result
        return
    for name, value in _KEPT_MEMORY.items():
        os.environ.setdefault(name, value)  # read by the C library of the processes to come
    with parallel_config(backend="loky", n_jobs=count, inner_max_num_threads=1, initializer=_begin):
        # Not in batches: items are few, and each takes long.
        run = Parallel(return_as="generator", batch_size=1, pre_dispatch=count + 1)
        results = run(delayed(function)(item) for item in items)
    yield from results


def number_of_workers() -> int:
    """Processors that this process may use, or what ``LEITMOTIF_WORKERS`` says.

    Raises ConfigError if that is no number of processes.
    """
    text = os.environ.get(WORKERS)
    if text is None:
        return int(cpu_count())
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ConfigError(
            f"the environment variable {WORKERS} is no number of processes",
            found=repr(text),
            expected="1 or more",
            fix="unset it for one process a processor",
        )
    return int(text)


def _begin() -> None:
    """What each process does before its first item."""
    os.environ[WORKERS] = "1"
    # joblib ends a process that has grown by 300 MB, and warns; a model that is kept is no leak.
    process_executor._USE_PSUTIL = False
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted, and ends this
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process once its parent has, which may be killed without a chance to say so."""
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)
