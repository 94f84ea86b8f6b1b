"""The peak of memory, of this process and of those that it starts."""

import sys
from subprocess import run

import numpy as np
import pytest

from leitmotif.work import peak as module
from leitmotif.work.peak import watched_memory
from tests.waiting import wait_until

BYTES = 200_000_000


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LOOKS", 0.01)


def test_what_is_held_for_a_while_is_seen() -> None:
    with watched_memory() as before:
        pass
    with watched_memory() as peak:
        held = np.ones(BYTES, dtype=np.int8)
        wait_until(lambda: peak.host > before.host + BYTES // 2)
        del held
    assert peak.gpu == 0


def test_processes_that_are_started_count() -> None:
    with watched_memory() as before:
        pass
    with watched_memory() as peak:
        code = f"x = bytearray(b'1') * {BYTES}; import time; time.sleep(2)"
        run([sys.executable, "-c", code], check=True)
    assert peak.host > before.host + BYTES // 2


def test_an_error_ends_the_watch() -> None:
    with pytest.raises(ZeroDivisionError), watched_memory() as peak:
        raise ZeroDivisionError
    assert peak.host > 0
