"""A scheduler and workers of Dask, each a process of its own on this machine."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


class Machines:
    """Processes that end with the test; ``folder`` has their logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def scheduler(self, **variables: str) -> subprocess.Popen[bytes]:
        command = ("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")
        return self._started(*command, **variables)

    def worker(
        self, *options: str, sources: Path | None = None, **variables: str
    ) -> subprocess.Popen[bytes]:
        """A worker without a nanny, which would start it anew; ``options`` of ``dask worker``."""
        if sources is not None:
            variables["PYTHONPATH"] = os.pathsep.join([str(sources), str(ROOT)])
        scratch = self.folder / f"scratch-{len(self.processes)}"
        options = options or ("--no-nanny",)
        return self._started(
            "worker", self.address, "--nthreads", "1", "--memory-limit", "0", "--no-dashboard",
            "--local-directory", str(scratch), *options, **variables,
        )  # fmt: skip

    def _started(self, *command: str, **variables: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{len(self.processes)}-{command[0]}.log").open("wb")
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *command],
                env={**os.environ, "PYTHONPATH": paths, **variables},
                cwd=self.folder,  # not that of the stage
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def end(self) -> None:
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def ended(started: Machines) -> Iterator[None]:
    """End the processes with the body."""
    try:
        yield
    finally:
        started.end()


@contextmanager
def machines(folder: Path, *, workers: int) -> Iterator[Machines]:
    """A scheduler and so many workers."""
    started = Machines(folder)
    with ended(started):
        started.scheduler()
        for _ in range(workers):
            started.worker()
        yield started


def killed(process: subprocess.Popen[bytes]) -> None:
    """End a process as ``kill -9`` does."""
    process.kill()
    process.wait()
    wait_until(lambda: process.poll() is not None)
