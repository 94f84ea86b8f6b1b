"""A Dask cluster as an engine: the same results, in the same order, as in processes here.

The scheduler hears names; all else lies in a folder that all machines see
(``leitmotif.cluster.calls``). An item decides its result alone, so one that is lost or late is
given out again: by the scheduler to another worker, or to another scheduler.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from distributed import Future, KilledWorker

from leitmotif.cluster.calls import Call, call_of
from leitmotif.cluster.connection import DOCS, SECONDS_BETWEEN_LOOKS, Connection
from leitmotif.errors import ConfigError, WorkerError

Item = TypeVar("Item")
Result = TypeVar("Result")

SECONDS_TO_END = 60.0
"""Time that is left for what is under work when a call ends early."""
LATE, SECONDS_LATE = 3.0, 10.0
"""An item is late that takes so many times as long as the longest other, and not less than this."""
_COPIES = 3
_MOMENT = 0.02


class Cluster:
    """Gives out work by a connection; ``folder`` is seen by all machines under the same path."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.connection, self.folder = connection, folder

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` of each item, in order; see ``in_processes``.

        Raises WorkerError for an item over which several workers ended, and where workers or the
        scheduler stay away.
        """
        with self._giving_out(function) as giving:
            for result in giving.each(items):
                if isinstance(result, _Killed):
                    raise result.error()
                yield result

    def each_part(
        self,
        function: Callable[[Sequence[Item]], Result],
        parts: Sequence[Sequence[Item]],
        lost: Callable[[Item, WorkerError], Result],
    ) -> Iterator[Result]:
        """Yield ``function(part)`` of each part, in order; see ``in_parts``."""
        with self._giving_out(function) as giving:
            for part, result in zip(parts, giving.each(parts), strict=True):
                if not isinstance(result, _Killed):
                    yield result
                    continue
                giving.settle()  # or another item would share a worker, and its end
                for item in part:
                    alone = giving.alone([item])
                    yield lost(item, alone.error()) if isinstance(alone, _Killed) else alone

    @contextmanager
    def _giving_out(self, function: object) -> "Iterator[_GivingOut]":
        with call_of(function, self.folder) as call:
            self.connection.wait_for_workers()
            giving = _GivingOut(self.connection, call)
            try:
                yield giving
            finally:
                giving.end()


@dataclass(frozen=True)
class _Killed:
    """In place of a result: several workers ended over this item."""

    said: str

    def error(self) -> WorkerError:
        return WorkerError(
            "Dask workers that took part in the work were ended",
            found=self.said,
            expected="that they end by themselves",
            fix="see the workers' logs; if memory ran out, ask for more of it a worker, or lower "
            f"the rows of a batch; {DOCS}",
        )


@dataclass(eq=False)
class _Task:
    """An item that was given out, and what came of it."""

    number: int
    futures: list[Future] = field(default_factory=list)
    """Results of the item, and of its copies if it was late."""
    begun: float = 0.0
    result: list[Any] = field(default_factory=list)
    """One, once it is read."""

    def has_ended(self) -> bool:
        return bool(self.result) or any(f.status in ("finished", "error") for f in self.futures)

    def is_lost(self) -> bool:
        return all(future.status in ("cancelled", "lost") for future in self.futures)


class _GivingOut:
    """The items of one call that are under work."""

    def __init__(self, connection: Connection, call: Call) -> None:
        self.connection, self.call = connection, call
        self._numbers = count()
        self._open: list[_Task] = []
        """Given out, result not taken, in order."""
        self._longest: float | None = None
        self._next_look = 0.0

    def each(self, items: Iterable[object]) -> Iterator[Any]:
        """Yield every item's result, in order; few items are taken before they are needed."""
        source, more = iter(items), True
        tasks: deque[_Task] = deque()
        while True:
            while more and self._has_room(tasks):
                for item in source:
                    tasks.append(self._given(item))
                    break
                else:
                    more = False
            if not tasks:
                return
            yield self._result(tasks.popleft())

    def settle(self) -> None:
        """Return once nothing is under work."""
        for task in [*self._open]:
            task.result = [self._result(task)]

    def alone(self, item: object) -> Any:
        """The result of one more item, after ``settle``."""
        return self._result(self._given(item))

    def end(self) -> None:
        """Let nothing be begun any more, and wait some time for what is under work."""
        self.call.stop()
        last = time.monotonic() + SECONDS_TO_END
        while not all(task.has_ended() for task in self._open):
            if time.monotonic() > last or self.connection.is_lost():
                break
            time.sleep(_MOMENT)
        self._open.clear()

    def _has_room(self, tasks: Sequence[_Task]) -> bool:
        workers = self.connection.workers
        under_work = sum(not task.has_ended() for task in tasks)
        return under_work < workers + 1 and len(tasks) < 2 * workers + 1

    def _given(self, item: object) -> _Task:
        task = _Task(next(self._numbers), begun=time.monotonic())
        self.call.put(task.number, item)
        self._open.append(task)
        self._give_out(task)
        return task

    def _give_out(self, task: _Task, workers: Sequence[str] = ()) -> None:
        copy = len(task.futures)
        task.futures.append(self.connection.submit(self.call, task.number, copy, workers))

    def _result(self, task: _Task) -> Any:
        """Wait for a result; raises what the function did."""
        while not task.has_ended():
            if self.connection.is_lost() or task.is_lost():
                self._begin_again()
            elif time.monotonic() > self._next_look:
                self._look()
            time.sleep(_MOMENT)
        if not task.result:
            self._longest = max(self._longest or 0.0, time.monotonic() - task.begun)
            self._open.remove(task)
            task.result = [self._read(task)]
            task.futures.clear()  # the scheduler forgets it
        return task.result[0]

    def _read(self, task: _Task) -> Any:
        if any(future.status == "finished" for future in task.futures):
            return self.call.take(task.number)
        error = next(f.exception() for f in task.futures if f.status == "error")
        if isinstance(error, KilledWorker):
            count, last = error.allowed_failures + 1, error.last_worker.address
            return _Killed(f"{count} workers, the last of them {last}")
        if isinstance(error, ModuleNotFoundError):
            raise ConfigError(
                "a Dask worker cannot load the code of the stage",
                found=error,
                expected="the environment of the stage",
                fix=f"start scheduler and workers in the stage's environment; {DOCS}",
            ) from error
        assert error is not None
        raise error

    def _begin_again(self) -> None:
        """The scheduler went: connect again, and give out again what was under work."""
        self.connection.reconnect()
        for task in self._open:
            task.futures.clear()
            task.begun = time.monotonic()
            self._give_out(task)  # a worker sees whether the result is there already

    def _look(self) -> None:
        """Give what is late to workers that have nothing to do as well."""
        self._next_look = time.monotonic() + SECONDS_BETWEEN_LOOKS
        idle = self.connection.look()
        if self._longest is None:
            return
        for task in self._open:
            late = max(SECONDS_LATE, LATE * self._longest) * len(task.futures)
            is_late = time.monotonic() - task.begun > late and not task.has_ended()
            if idle and is_late and len(task.futures) < _COPIES:
                self._give_out(task, [idle.pop()])
