"""Waiting for what other processes and threads do."""

import time
from collections.abc import Callable

SECONDS = 240
"""After so long nothing is expected to happen any more. No test says how fast something is: other
work on the machine makes anything slow."""


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once ``condition()`` is true; raises AssertionError if it does not become so."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
