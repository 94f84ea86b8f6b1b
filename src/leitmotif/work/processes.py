"""Processes that work for this one: forked from one that has imported what they need.

To import torch and `transformers` takes a process some seconds. Where the system can, one helper
process imports them while this one goes on (``import_ahead``), and the processes that work are
forked from it at once (https://docs.python.org/3/library/multiprocessing.html, *forkserver*).
"""

import atexit
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
import types
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from leitmotif.work import WORKERS
from leitmotif.work.laid_down import make_folder

# Elsewhere libraries do not survive a fork, or there is none: each process imports for itself.
if sys.platform == "linux":
    from multiprocessing.context import ForkServerContext as AnyContext
    from multiprocessing.context import ForkServerProcess as AnyProcess
else:
    from multiprocessing.context import SpawnContext as AnyContext
    from multiprocessing.context import SpawnProcess as AnyProcess
_KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": f"{2**30}", "MALLOC_TRIM_THRESHOLD_": f"{2**32}"}
"""Bytes: a process keeps what it has freed for its next array, instead of giving it back and asking
for new pages, which took a third of the time in which a codec reads."""
_ONE_THREAD = {
    "VECLIB_MAXIMUM_THREADS": "1",
    **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR")},
}
"""Variables that native libraries read as they are loaded."""
_LONGEST_FOLDER = 70
"""Bytes of a path: the names of a folder and a socket in it, which Python makes, take 32 more."""


def import_ahead(modules: Sequence[str]) -> None:
    """Let the processes to come find these modules imported; returns at once.

    Does nothing where processes are not forked, or once one has been begun.
    """
    if sys.platform == "linux":
        multiprocessing.set_forkserver_preload([*modules])
        with _in_surroundings(), _deaf_to_interrupts(), _short_paths():
            forkserver.ensure_running()


class Workers:
    """Processes that take pieces of work, one each at a time; they begin when there is some."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.users = 0
        """Calls that have work here."""
        self.ended = False
        self.folder = make_folder()
        """For what the processes read; it goes with them."""
        self._context = _Context()
        environment = {**os.environ, **_surroundings(), WORKERS: "1"}
        self.executor = ProcessPoolExecutor(
            count,
            mp_context=self._context,
            initializer=_begin,
            initargs=(environment, self.folder),
        )
        atexit.register(self._tidy)

    @property
    def exit_codes(self) -> list[int]:
        """Of the processes that have ended; of those that a signal ended, its number times -1."""
        codes = (process.exitcode for process in self._context.started)
        return [code for code in codes if code is not None]

    def end(self, *, now: bool = False) -> None:
        """End the processes, after what they are doing or ``now``, and return when they have."""
        self.ended = True
        if now:
            for process in self._context.started:
                process.kill()
        self.executor.shutdown(cancel_futures=True)
        atexit.unregister(self._tidy)
        self._tidy()

    def _tidy(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class _Process(AnyProcess):
    """A process that does not run the main program's module again.

    So a script needs no ``if __name__ == "__main__"``; what it defines travels by cloudpickle.
    """

    def start(self) -> None:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            with _in_surroundings(), _short_paths():
                super().start()
        finally:
            sys.modules["__main__"] = main


class _Context(AnyContext):
    """Makes such processes, and remembers them."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[_Process] = []

    def Process(  # type: ignore[override]  # noqa: N802 - a class there, a method here
        self, *args: Any, **kwargs: Any
    ) -> _Process:
        process = _Process(*args, **kwargs)
        self.started.append(process)
        return process


def _surroundings() -> dict[str, str]:
    """What is set for the processes; what somebody has set about memory stays."""
    memory = {name: os.environ.get(name, value) for name, value in _KEPT_MEMORY.items()}
    return memory | _ONE_THREAD


@contextmanager
def _in_surroundings() -> Iterator[None]:
    """Begin a process in the body, which takes the variables over."""
    before = {name: os.environ.get(name) for name in _surroundings()}
    os.environ.update(_surroundings())
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _short_paths() -> Iterator[None]:
    """Begin a process in the body, even where the folder for temporary files has a long path.

    The socket by which processes are asked for lies there, and its path has 107 bytes at most
    (https://man7.org/linux/man-pages/man7/unix.7.html). Batch systems give each job a folder.
    """
    before = tempfile.tempdir
    if len(os.fsencode(tempfile.gettempdir())) > _LONGEST_FOLDER:
        tempfile.tempdir = "/tmp"
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Begin a process in the body that Ctrl-C does not end: whoever began it does, in its time."""
    if threading.current_thread() is not threading.main_thread():
        yield  # no other thread may say what a signal does
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _begin(environment: Mapping[str, str], folder: Path) -> None:
    """What each process does before its first piece of work."""
    os.environ.clear()
    os.environ.update(environment)
    threadpool_limits(limits=1)  # of libraries that the program had loaded before its time
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted, and ends this
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()


def _end_with_parent(folder: Path) -> None:
    """End this process once its parent has, which may be killed without a chance to say so."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
