"""A connection to a Dask scheduler that may go and come back, and workers that come and go."""

import logging
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from distributed import Client, Future

from leitmotif.cluster.calls import Call
from leitmotif.errors import ConfigError, WorkerError

SECONDS_TO_CONNECT = 30.0
SECONDS_WITHOUT_SCHEDULER = 600.0
"""After which a scheduler that was there counts as gone for good."""
SECONDS_WITHOUT_WORKERS = 3600.0
"""A queue may keep them waiting."""
SECONDS_BETWEEN_LOOKS = 1.0
DOCS = "see docs/cluster.md"


class Connection:
    """What this process has to do with a scheduler.

    Parameters
    ----------
    address : of the scheduler, or the path of its scheduler file, which ends in ``.json``.
    workers : that are waited for before the first work is given out.

    Raises ConfigError if there is no scheduler.
    """

    def __init__(self, address: str, *, workers: int = 1) -> None:
        self.address, self._wanted = address, workers
        self._addresses: frozenset[str] = frozenset()
        self._without_workers_since: float | None = None
        # Whatever matters of its messages is said here, once.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        try:
            self._client = self._connected(SECONDS_TO_CONNECT)
        except (OSError, ValueError) as error:
            raise ConfigError(
                "there is no Dask scheduler at execution.address",
                found=f"{address}: {_said(error)}",
                expected="a running scheduler of the same version of distributed",
                fix=f"start one (`dask scheduler`), or set execution.engine to local; {DOCS}",
            ) from error

    def close(self) -> None:
        """Leave the scheduler; workers stay."""
        with suppress(Exception):  # the scheduler may be gone
            self._client.close(timeout=5)

    def submit(self, call: Call, number: int, copy: int, workers: Sequence[str]) -> Future:
        """Give an item to some worker; if there are ``workers``, rather to one of these."""
        return self._client.submit(
            call.work_on,
            number,
            key=f"leitmotif-{call.name}-{number}-{copy}",
            pure=False,
            workers=list(workers) or None,
            allow_other_workers=bool(workers),
        )

    def is_lost(self) -> bool:
        """Whether the scheduler is gone."""
        return bool(self._client.status != "running")

    @property
    def workers(self) -> int:
        """How many there were at the last look, but at least 1."""
        return max(1, len(self._addresses))

    def look(self) -> list[str]:
        """See which workers there are; return the addresses of those with nothing to do.

        Raises WorkerError if there have been none for long.
        """
        try:
            processing = self._client.processing()
        except (OSError, RuntimeError):  # the scheduler is going
            return []
        self._addresses = frozenset(processing)
        if len(processing) < self._wanted:
            self._wait_on(self._wanted)
        else:
            self._without_workers_since = None
        return [address for address, keys in processing.items() if not keys]

    def wait_for_workers(self) -> None:
        """Return once as many are there as are wanted, the first time; one later."""
        self.look()
        while len(self._addresses) < self._wanted:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            if self.is_lost():
                self.reconnect()
            self.look()
        self._wanted, self._without_workers_since = 1, None

    def _wait_on(self, wanted: int) -> None:
        now, there = time.monotonic(), len(self._addresses)
        if self._without_workers_since is None:
            self._without_workers_since = now
            _say(f"waiting for workers at {self.address}: {there} of {wanted} are there")
        elif now - self._without_workers_since > SECONDS_WITHOUT_WORKERS:
            raise WorkerError(
                "no Dask workers take the work",
                found=f"{there} at {self.address}",
                expected=f"{wanted}, within {SECONDS_WITHOUT_WORKERS:.0f} s",
                fix=f"start workers (`dask worker`), or lower execution.workers; {DOCS}",
            )

    def reconnect(self) -> None:
        """Connect again; raises WorkerError if that is not possible for long."""
        _say(f"the scheduler at {self.address} is gone; waiting until it is back")
        self.close()
        last = time.monotonic() + SECONDS_WITHOUT_SCHEDULER
        while True:
            try:
                self._client = self._connected(min(10.0, SECONDS_WITHOUT_SCHEDULER))
                return
            except (OSError, ValueError) as error:
                if time.monotonic() > last:
                    raise WorkerError(
                        "the Dask scheduler is gone",
                        found=f"{self.address}: {_said(error)}",
                        expected=f"that it is back within {SECONDS_WITHOUT_SCHEDULER:.0f} s",
                        fix=f"start it and its workers, and run `dvc repro` again; {DOCS}",
                    ) from error
                time.sleep(SECONDS_BETWEEN_LOOKS)

    def _connected(self, seconds: float) -> Client:
        if not self.address.endswith(".json"):
            return Client(self.address, timeout=seconds, set_as_default=False)
        if not Path(self.address).exists():
            raise FileNotFoundError("there is no such file")
        return Client(scheduler_file=self.address, timeout=seconds, set_as_default=False)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
