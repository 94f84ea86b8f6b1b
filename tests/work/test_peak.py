"""The peak of memory, of this process and of those that it starts."""

import sys
from subprocess import run

import pytest

from leitmotif.work import peak as module
from leitmotif.work.peak import Peak, watched_memory

BYTES = 200_000_000


ALONE = """
import subprocess, sys, time

import numpy as np

from leitmotif.work import peak as module
from leitmotif.work.peak import watched_memory

module.SECONDS_BETWEEN_LOOKS = 0.01
with watched_memory() as before:
    pass
with watched_memory() as peak:
    {body}
assert peak.host > before.host + {more}, (peak, before)
assert peak.gpu == 0
"""
"""A process of its own: that of the tests has children that end when they like."""
HERE = f"held = np.ones({BYTES}, dtype=np.int8); time.sleep(2); del held"
STARTED = f"x = bytearray(b'1') * {BYTES}; import time; time.sleep(2)"
BODIES = {
    "here": HERE,
    "in a process that is started": f"subprocess.run([sys.executable, '-c', {STARTED!r}])",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_is_held_for_a_while_is_seen(body: str) -> None:
    code = ALONE.format(body=body, more=BYTES // 2)
    run([sys.executable, "-c", code], check=True)


def test_what_is_shared_is_asked_for_only_where_it_may_be_a_peak(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel walks over all pages for it, while the process waits."""
    sums = iter([100, 70, 70, 80, 90, 60])  # without sharing, and with it where that was asked for
    asked = []

    def held(_: object, *, shared_once: bool) -> int:
        asked.append(shared_once)
        return next(sums)

    monkeypatch.setattr(module, "_held", held)
    peak = Peak()
    peaks = []
    for _ in range(4):
        peak.look()
        peaks.append(peak.host)
    assert asked == [False, True, False, False, True, False]
    assert peaks == [70, 70, 90, 90]


def test_an_error_ends_the_watch() -> None:
    with pytest.raises(ZeroDivisionError), watched_memory() as peak:
        raise ZeroDivisionError
    assert peak.host > 0
