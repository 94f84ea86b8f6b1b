"""What the tests of the cluster give workers to do, in a module that these can import."""

import os
import signal
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from leitmotif.errors import AudioError
from leitmotif.work import WORKERS
from leitmotif.work.parallel import in_processes
from tests.waiting import wait_until


def place(number: int) -> tuple[int, int, str, str | None]:
    return number, os.getpid(), str(Path.cwd()), os.environ.get(WORKERS)


def refuses(number: int) -> int:
    if number == 1:
        raise AudioError("no sound", reason="silent", found=[1], expected=2, fix="listen")
    return number


def nested(number: int) -> set[int]:
    return {pid for _, pid, _, _ in in_processes(place, range(number))} | {os.getpid()}


def summed(array: np.ndarray, number: int) -> float:
    return float(array.sum() + number)


def deadly(part: Sequence[int]) -> list[int]:
    if 3 in part:
        os.kill(os.getpid(), signal.SIGKILL)
    return [2 * number for number in part]


def held(gate: Path, number: int) -> int:
    """All but the first wait for a gate, and say that they do."""
    if number:
        gate.with_name(f"held-{number}-{os.getpid()}").touch()
        wait_until(gate.exists)
    return number


@lru_cache(maxsize=1)
def model(folder: Path) -> list[Path]:
    """What stands for a model; leaves a file each time that it is loaded."""
    path = folder / f"{os.getpid()}-{len(list(folder.iterdir()))}"
    path.touch()
    return [path]


def loads(folder: Path, number: int) -> tuple[int, int]:
    model(folder)
    return number, os.getpid()
