"""A stage that is killed at a place of one's choice."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import importlib, os, signal, sys

name, flushes = sys.argv[1], int(sys.argv[2])
flush, done = os.fsync, 0

def fsync(file):
    global done
    done += 1
    if done == flushes:
        os.kill(os.getpid(), signal.SIGKILL)
    flush(file)

os.fsync = fsync
from leitmotif.stages import run
run(getattr(importlib.import_module(f"leitmotif.stages.{name}"), name))
"""


def dying(stage: str, root: Path, *, flush: int) -> int:
    """Run a stage until it flushes a file for the ``flush``-th time; returns its exit status.

    It is killed in place of that flush, as `kill -9` does; 0 lets it end.
    """
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, stage, str(flush)],
        cwd=root,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        check=False,
    ).returncode
