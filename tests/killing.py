"""A stage that is killed at a place of one's choice."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import importlib, os, signal, sys, threading
from pathlib import Path

name, last, among = sys.argv[1], int(sys.argv[2]), sys.argv[3]
replace, done, lock = Path.replace, 0, threading.Lock()

def counted(self, target):
    global done
    with lock:  # of what other threads finish, nothing comes in between
        done += among in os.path.relpath(target)
        if last and done == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(self, target)

Path.replace = counted
exec(sys.argv[4])
from leitmotif.pipeline import run
run(name, lambda: getattr(importlib.import_module(f"leitmotif.stages.{name}"), name))
"""


def dying(stage: str, root: Path, *, file: int, among: str, first: str = "") -> int:
    """Run a stage until it has written so many files but for their names; returns its exit status.

    It is killed as `kill -9` does, in place of giving the ``file``-th its name; 0 lets it end.
    Counted are files with ``among`` in their path below ``root``. ``first`` is code that changes
    something beforehand.
    """
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, stage, str(file), among, first],
        cwd=root,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        check=False,
    ).returncode
