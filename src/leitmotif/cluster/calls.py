"""A call of one function on many items, laid down in a folder that several machines see.

Function, items and results are files, and whoever passes work on passes names only. So a result is
on the disk before its worker says that it is done, and neither a worker nor a scheduler that ends
takes one along. The files are pickled; they are read by the run that wrote them, and go with it.
"""

import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cloudpickle
from threadpoolctl import threadpool_limits

from leitmotif.cluster.software import Software, software
from leitmotif.errors import ConfigError, StoreError
from leitmotif.files import atomic
from leitmotif.files.replacing import begin, end, mark_process, remove_leftovers
from leitmotif.work import WORKERS

_FUNCTION, _STOP = "function", "stop"
SECONDS_TO_BE_SEEN = 30.0
"""Time within which a file that one machine has written is seen by another."""
_MOMENT = 0.1

_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Call:
    """A function and its items in a folder, and which software may work on them."""

    name: str
    """Name that no other call ever has."""
    folder: Path
    """Absolute, the same on every machine."""
    place: Path
    """The working directory, absolute too; paths among the arguments may be relative to it."""
    software: Software

    def put(self, number: int, item: object) -> None:
        """Lay down an item."""
        self._write(f"{number}.item", item)

    def take(self, number: int) -> Any:
        """The result of an item that is done; its files go, so that the folder stays small.

        Raises StoreError if the file does not come into sight.
        """
        result = self._read(f"{number}.result")
        for kind in ("item", "result"):
            (self.folder / f"{number}.{kind}").unlink(missing_ok=True)
        return result

    def stop(self) -> None:
        """Let no item be begun any more."""
        with suppress(OSError):
            (self.folder / _STOP).touch()

    def work_on(self, number: int) -> None:
        """What a worker does: read an item, and write its result.

        A worker keeps the function for the next item, and with it the models that it has loaded.
        What the function raises is raised here. Raises ConfigError where this worker runs other
        software, or does not see the folder.
        """
        with _one_at_a_time:  # models, threads and the working directory are the process's
            self.software.check()
            self._check_folder()
            if any((self.folder / name).exists() for name in (_STOP, f"{number}.result")):
                return
            os.environ[WORKERS] = "1"
            mark_process()
            os.chdir(self.place)
            function = _function(self)
            item = self._read(f"{number}.item")
            with threadpool_limits(limits=1):
                result = function(item)
            if self.folder.exists():  # else another worker was sooner, and the call has ended
                self._write(f"{number}.result", result)

    def _check_folder(self) -> None:
        try:
            self._wait_for(_FUNCTION)
        except StoreError as error:
            raise ConfigError(
                f"a worker on {platform.node()} does not see the folder of the stage",
                found=f"no {self.folder}",
                expected="the checkout, under the same path on every machine",
                fix="put the checkout on a file system that all machines share; see "
                "docs/cluster.md",
            ) from error

    def _write(self, name: str, value: object) -> None:
        # By cloudpickle, which takes along what the stage's own module, __main__, defines.
        with atomic(self.folder / name) as temporary:
            temporary.write_bytes(cloudpickle.dumps(value))

    def _read(self, name: str) -> Any:
        self._wait_for(name)
        return cloudpickle.loads((self.folder / name).read_bytes())

    def _wait_for(self, name: str) -> None:
        """File systems of several machines may show a new file late."""
        path, last = self.folder / name, time.monotonic() + SECONDS_TO_BE_SEEN
        while not path.exists():
            if time.monotonic() > last:
                raise StoreError(
                    f"{path} does not come into sight",
                    expected=f"what another machine wrote, within {SECONDS_TO_BE_SEEN:.0f} s",
                    fix="see whether the machines share this file system",
                )
            time.sleep(_MOMENT)


@contextmanager
def call_of(function: object, below: Path) -> Iterator[Call]:
    """Lay down a function in a folder of its own below ``below``, which goes with the body.

    What killed runs left there is removed first.
    """
    below = below.absolute()
    below.mkdir(parents=True, exist_ok=True)
    remove_leftovers(below / "call", again=True)
    folder = begin(below / "call")
    folder.mkdir()
    try:
        call = Call(secrets.token_hex(8), folder, Path.cwd(), software())
        call._write(_FUNCTION, function)
        yield call
    finally:
        with suppress(OSError):  # a worker that nobody waits for may write there in this moment
            end(folder)


@lru_cache(maxsize=1)
def _function(call: Call) -> Any:
    return call._read(_FUNCTION)
