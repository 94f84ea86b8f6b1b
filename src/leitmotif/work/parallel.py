"""Independent pieces of work on all processors at once.

Products here are small, so that threads wait for each other more than they work; processes do not.
Each works with one native thread, and results come in the order of the items: what is computed does
not depend on how many processors there are, nor on whether they are those of a cluster
(``leitmotif.work.engine``).
"""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from typing import TypeVar

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import process_executor
from threadpoolctl import threadpool_limits

from leitmotif.errors import WorkerError
from leitmotif.work import WORKERS
from leitmotif.work.engine import cluster, number_of_workers

__all__ = ["WORKERS", "in_parts", "in_processes", "number_of_workers"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": f"{2**30}", "MALLOC_TRIM_THRESHOLD_": f"{2**32}"}
"""Bytes: a process keeps what it has freed for its next array, instead of giving it back and asking
for new pages, which took a third of the time in which a codec reads."""
_SECONDS_BETWEEN_LOOKS = 0.1


def in_processes(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int | None = None
) -> Iterator[Result]:
    """Yield ``function(item)`` of each item, in their order, as soon as each is there.

    Function, items and results travel between processes and must pickle; large arrays among the
    arguments are shared and read-only. The processes are kept for the next call and end with this
    one, however it ends. With one worker, or one item, everything happens in this process.
    What ``function`` raises is raised here, of the first item that fails; what others have begun is
    dropped. Raises ConfigError for a ``LEITMOTIF_WORKERS`` that is no number of processes, and
    WorkerError if the system ends one of them. ``workers`` are this machine's: a cluster, which may
    end some of its own, has as many as it has.
    """
    engine = cluster()
    if engine and not (isinstance(items, Sized) and len(items) <= 1):
        yield from engine.each(function, items)
        return
    count = number_of_workers() if workers is None else workers
    if isinstance(items, Sized):
        count = min(count, len(items))
    yield from _here(function, items) if count <= 1 else _elsewhere(function, items, count)


def in_parts(
    function: Callable[[Sequence[Item]], Result],
    items: Sequence[Item],
    *,
    size: int,
    lost: Callable[[Item, WorkerError], Result],
    workers: int | None = None,
) -> Iterator[Result]:
    """Yield ``function(part)`` of every ``size`` items, in their order, whatever happens to one.

    If the system ends a process, for example because memory runs out, the parts that were under
    work are done again, item by item, one at a time. Of an item with which a process ends again,
    the result is ``lost(item, error)``.

    Parameters
    ----------
    function
        Takes some items, or a single one. What it raises ends everything, as in ``in_processes``.
    items
        Small, for they may be sent twice.
    size
        Number of items that a process gets at a time.
    lost
        Gives the result of an item that cannot be worked on, and the error that says why.
    workers
        Number of processes of this machine, one a processor by default. With 1, or
        ``LEITMOTIF_WORKERS`` at 1, or a single item, everything happens in this process, and ends
        with it.
    """
    parts = [items[first : first + size] for first in range(0, len(items), size)]
    engine = cluster()
    if engine and len(items) > 1:
        yield from engine.each_part(function, parts, lost)
        return
    set_to = workers if workers is not None or WORKERS not in os.environ else number_of_workers()
    if set_to == 1 or len(items) <= 1:
        yield from _here(function, parts)
        return
    count, done = set_to or number_of_workers(), 0
    while done < len(parts):
        begun: list[Sequence[Item]] = []  # a new one each time: joblib's threads may be late
        try:
            for result in _elsewhere(function, _noted(parts[done:], begun), count):
                done += 1
                del begun[0]
                yield result
        except WorkerError:
            suspects = begun.copy()
            for item in chain.from_iterable(suspects):
                yield _alone(function, item, lost)
            done += len(suspects)


def _noted(items: Iterable[Item], begun: list[Item]) -> Iterator[Item]:
    """Yield the items, and append each to ``begun`` as it is taken."""
    for item in items:
        begun.append(item)
        yield item


def _alone(
    function: Callable[[Sequence[Item]], Result],
    item: Item,
    lost: Callable[[Item, WorkerError], Result],
) -> Result:
    """Work on one item while no other process works."""
    try:
        (result,) = _elsewhere(function, [[item]], 1)
    except WorkerError as error:
        return lost(item, error)
    return result


def _here(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    for item in items:
        with threadpool_limits(limits=1):
            result = function(item)
        yield result


def _elsewhere(
    function: Callable[[Item], Result], items: Iterable[Item], count: int
) -> Iterator[Result]:
    """Work in ``count`` other processes; raises WorkerError if one of them is ended."""
    for name, value in _KEPT_MEMORY.items():
        os.environ.setdefault(name, value)  # read by the C library of the processes to come
    # With one process joblib would do everything here: so of two, one is given nothing to do.
    jobs, ahead = max(2, count), 1 if count == 1 else count + 1
    processes = parallel_config(
        backend="loky", n_jobs=jobs, inner_max_num_threads=1, initializer=_begin
    )
    try:
        with processes:
            # Not in batches: items are few, and each takes long.
            run = Parallel(return_as="generator", batch_size=1, pre_dispatch=ahead)
            # The first items are given out here already, and one may end its process meanwhile.
            results = run(delayed(function)(item) for item in items)
        yield from results
    except BrokenProcessPool as error:
        raise WorkerError(
            "a process that took part in the work was ended",
            found=_ended_by(error),
            expected="that it ends by itself",
            fix="if memory ran out, close other programs, or set the environment variable "
            f"{WORKERS} to a smaller number of processes",
        ) from error


def _ended_by(error: BrokenProcessPool) -> str:
    """The exit codes, such as SIGKILL(-9), which is the last that joblib says."""
    said = re.findall(r"[A-Z]+\(-?\d+\)", str(error))
    return ", ".join(said) or "it is gone"


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
