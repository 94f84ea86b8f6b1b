"""The peak of memory, of this process and of those that it starts."""

import sys
from subprocess import run
from types import ModuleType

import pytest

from leitmotif.work.peak import SECONDS_BETWEEN_LOOKS, pause_after, watched_memory

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


def test_a_look_that_takes_long_is_rare() -> None:
    """The kernel walks over all pages of a process for a look, while the process waits."""
    assert pause_after(0.001) == SECONDS_BETWEEN_LOOKS
    assert pause_after(0.1) == pytest.approx(2.0)


def test_an_error_ends_the_watch() -> None:
    with pytest.raises(ZeroDivisionError), watched_memory() as peak:
        raise ZeroDivisionError
    assert peak.host > 0


@pytest.mark.parametrize("cuda", [None, ModuleType("torch.cuda")])
def test_a_torch_that_is_being_imported_holds_nothing_of_a_gpu(
    cuda: ModuleType | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = ModuleType("torch")
    if cuda is not None:
        monkeypatch.setattr(half, "cuda", cuda, raising=False)
    monkeypatch.setitem(sys.modules, "torch", half)
    with watched_memory() as peak:
        pass
    assert peak.gpu == 0
