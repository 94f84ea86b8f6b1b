"""The review page in a process of its own, as people run it."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import uvicorn

from leitmotif.review.guard import Access
from leitmotif.review.material import ReviewSources
from leitmotif.review.server import application
from leitmotif.review.session import Session

_PROGRAM = """
import sys
import threading
from pathlib import Path
from leitmotif.review.serve import access_for, serve
from leitmotif.review.material import ReviewSources
from leitmotif.review.session import Session

port, reviewers, *paths = sys.argv[1:]
names = reviewers.split(",")
serve(
    Session(ReviewSources(*map(Path, paths))),
    reviewers=names,
    host="127.0.0.1",
    port=int(port),
    access=access_for("127.0.0.1", names),
    ready=lambda links: print(next(iter(links.values())), flush=True),
)
"""


@dataclass(frozen=True)
class Server:
    """A running server and its address."""

    process: subprocess.Popen[str]
    address: str

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    def kill(self) -> None:
        """Kill it as `kill -9` does, and wait until it is gone."""
        self.process.kill()
        self.process.wait()


def lasting_port() -> int:
    """Return a free port that stays free when the server on it is killed, for the next one.

    It is none of those that the system gives to whoever asks for any (from 32768 on Linux), and
    each process of tests begins to look at another one.
    """
    for number in range(1000):
        port = 10_000 + (97 * os.getpid() + number) % 20_000
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError("no port is free")


def start(sources: ReviewSources, *, reviewers: str = "ana,ben", port: int = 0) -> Server:
    """Start a server, and return when it listens."""
    paths = [str(getattr(sources, field.name)) for field in fields(sources)]
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(port), reviewers, *paths],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    link = process.stdout.readline().strip()
    assert link, f"the server did not start: {process.wait()}"
    return Server(process, link.split("/as/")[0])


@contextmanager
def running(sources: ReviewSources, *, reviewers: str = "ana,ben") -> Iterator[Server]:
    """Run a server for the length of a block."""
    server = start(sources, reviewers=reviewers)
    try:
        yield server
    finally:
        server.kill()
        assert server.process.stdout is not None
        server.process.stdout.close()


@contextmanager
def threaded(session: Session) -> Iterator[str]:
    """Run a server in this process, so that a test can make its system calls fail."""
    app = application(session, reviewers=("ana", "ben"), access=Access())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
