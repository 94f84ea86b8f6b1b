"""Where the work of this process is done: in processes of this machine, or on a Dask cluster.

Chosen once, by the settings ``execution``, around everything that a stage does. It decides no
result. A process that others start to share their work has chosen nothing, and works by itself.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from leitmotif.errors import ConfigError, WorkerError
from leitmotif.work import WORKERS
from leitmotif.work.machine import processors_here

if TYPE_CHECKING:
    from leitmotif.config import ExecutionParams

Item = TypeVar("Item")
Result = TypeVar("Result")
Count = TypeVar("Count", bound="int | None")


class Engine(Protocol):
    """What takes the place of this machine's processes."""

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """As ``in_processes``."""

    def each_part(
        self,
        function: Callable[[Sequence[Item]], Result],
        parts: Sequence[Sequence[Item]],
        lost: Callable[[Item, WorkerError], Result],
    ) -> Iterator[Result]:
        """As ``in_parts``, but for the parts."""


class _Choice:
    """What ``working_on`` has chosen in this process."""

    engine: Engine | None = None
    workers: int | None = None


CHOICE = _Choice()


@contextmanager
def working_on(execution: "ExecutionParams", folder: Path) -> Iterator[None]:
    """Let the body's work be done where the settings say.

    ``folder`` is for what a cluster's machines hand each other. Raises ConfigError if there is no
    scheduler, or if the packages for a cluster are not installed.
    """
    if execution.engine == "local" or execution.address is None:
        CHOICE.workers = execution.workers
        try:
            yield
        finally:
            CHOICE.workers = None
        return
    try:
        # Only here: whoever has no cluster has no need of the package.
        from leitmotif.cluster.cluster import Cluster
        from leitmotif.cluster.connection import Connection
    except ModuleNotFoundError as error:
        raise ConfigError(
            "execution.engine cannot be dask",
            found=f"no module named {error.name}",
            expected="the extra cluster",
            fix="pip install 'leitmotif[cluster]'; in a clone, make env",
        ) from error
    connection = Connection(execution.address, workers=execution.workers or 1)
    CHOICE.engine = Cluster(connection, folder)
    try:
        yield
    finally:
        CHOICE.engine = None
        connection.close()


def cluster() -> Engine | None:
    """The cluster that does the work of this process; None: this machine does."""
    return CHOICE.engine


def number_of_workers(chosen: int | None = None) -> int:
    """Processes of this machine that share work.

    The first of these that is set: ``LEITMOTIF_WORKERS``, ``chosen``, the settings ``execution``;
    else one for each processor that this process may use. Raises ConfigError if the variable is no
    number of processes.
    """
    text = os.environ.get(WORKERS)
    if text is None:
        return chosen or CHOICE.workers or processors_here()
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ConfigError(
            f"the environment variable {WORKERS} is no number of processes",
            found=repr(text),
            expected="1 or more",
            fix="unset it for one process a processor",
        )
    return int(text)


def workers_on(device: str, count: Count) -> Count | int:
    """Processes that share work with a model on a kind of device, ``cpu`` or another.

    On a CPU as many as ``count`` says, in which None is one for each processor, as
    ``in_processes`` takes it; on a GPU one, for it has room for one model. The workers of a cluster
    are not counted: each has a device of its own.
    """
    return count if device == "cpu" else 1
