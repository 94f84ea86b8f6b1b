"""Programs that tests run in a folder."""

import os
import subprocess
from pathlib import Path


def run(*command: str, root: Path, ok: bool = True, **more: str) -> str:
    """What a command prints; an AssertionError if it fails, or does not although it should."""
    done = subprocess.run(
        command, cwd=root, env={**os.environ, **more}, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert (done.returncode == 0) == ok, said
    return said
