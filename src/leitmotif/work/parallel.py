"""Independent pieces of work on all processors at once.

Products here are small, so that threads wait for each other more than they work; processes do not.
Each works with one native thread, and results come in the order of the items: what is computed does
not depend on how many processors there are, nor on whether they are those of a cluster
(``leitmotif.work.engine``).
"""

import os
import pickle
import secrets
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import cloudpickle
from threadpoolctl import threadpool_limits

from leitmotif.errors import LeitmotifError, WorkerError
from leitmotif.work import WORKERS
from leitmotif.work.engine import cluster, number_of_workers
from leitmotif.work.laid_down import lay_down, take_up
from leitmotif.work.processes import Workers

__all__ = ["WORKERS", "in_parts", "in_processes", "number_of_workers"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Kept:
    """The processes of the last call, for the next one."""

    workers: Workers | None = None


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
        begun: list[Sequence[Item]] = []
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
    given, begun = iter(items), deque[Future[bytes]]()
    with _working(count) as workers:
        path = workers.folder / secrets.token_hex(8)
        lay_down(function, path)
        try:
            while True:
                # One waits for each that is worked on, so that no process waits for us.
                free = 2 * count - sum(not future.done() for future in begun)
                for item in islice(given, free):
                    begun.append(workers.executor.submit(_work, path, cloudpickle.dumps(item)))
                if not begun:
                    return
                if begun[0].done():
                    yield _result(begun.popleft().result())
                else:
                    wait([future for future in begun if not future.done()], None, FIRST_COMPLETED)
        except BrokenProcessPool as error:
            workers.end()
            raise WorkerError(
                "a process that took part in the work was ended",
                found=_ended_by(workers.exit_codes),
                expected="that it ends by itself",
                fix="if memory ran out, close other programs, or set the environment variable "
                f"{WORKERS} to a smaller number of processes",
            ) from error
        finally:
            path.unlink(missing_ok=True)
            if not all(future.done() for future in begun):
                workers.end(now=True)


@contextmanager
def _working(count: int) -> Iterator[Workers]:
    """Processes for the body: those of the last call, if they are as many and alive."""
    workers = _Kept.workers
    if workers is None or workers.count != count or workers.ended:
        if workers and not workers.users:
            workers.end()
        workers = _Kept.workers = Workers(count)
    workers.users += 1
    try:
        yield workers
    finally:
        workers.users -= 1
        if workers is not _Kept.workers and not workers.users:
            workers.end()


def _work(path: Path, item: bytes) -> bytes:
    """What a process does: the result of an item, or the error that it raised, pickled."""
    try:
        return cloudpickle.dumps((take_up(path)(pickle.loads(item)), None))
    except Exception as error:  # noqa: BLE001 - it is raised again where the work was given out
        if not isinstance(error, LeitmotifError):
            error.add_note("".join(traceback.format_exception(error)))
        return _pickled(error)


def _pickled(error: Exception) -> bytes:
    try:
        pickled = cloudpickle.dumps((None, error))
        pickle.loads(pickled)
    except Exception:  # noqa: BLE001 - whatever an error of others does as it is copied
        said = WorkerError(type(error).__name__, found="".join(traceback.format_exception(error)))
        pickled = cloudpickle.dumps((None, said))
    return pickled


def _result(pickled: bytes) -> Result:  # type: ignore[type-var]
    result, error = pickle.loads(pickled)
    if error is not None:
        raise error
    return result


def _ended_by(exit_codes: Sequence[int]) -> str:
    """The signal, such as SIGKILL, or the exit code; the others are ended with SIGTERM."""
    code = next((code for code in exit_codes if code != -signal.SIGTERM), -signal.SIGTERM)
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
