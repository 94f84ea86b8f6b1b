"""What ``leitmotif use`` asks at a terminal, at a real one: a pseudo-terminal."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leitmotif.cli import presets
from leitmotif.config import load_params

SECONDS = 240
QUESTION = b"(empty: stay on this one)"
CHILD = """
import fcntl, signal, termios
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in the background
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C comes as a signal
from leitmotif.cli import dependencies, program
dependencies.with_dependencies = lambda text, *_, **__: text
program.main()
"""
"""The command, but for what it adds to a dvc.yaml, which here names no module."""
END, INTERRUPT = b"\x04", b"\x03"
NAMED = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org"}
NAMED |= {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org"}


@pytest.fixture
def root(tmp_path: Path, repo_root: Path) -> Path:
    """A repository in which results of the organism are committed."""
    (tmp_path / "presets").mkdir()
    for preset in (repo_root / "presets").glob("*.yaml"):
        (tmp_path / "presets" / preset.name).write_bytes(preset.read_bytes())
    presets.use("organism", root=tmp_path)
    pipeline = "stages:\n  probes:\n    cmd: x\n    deps: []\n    metrics:\n"
    (tmp_path / "dvc.yaml").write_text(
        f"{pipeline}      - metrics/probes.json:\n          cache: false\n"
    )
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/probes.json").write_text('{"a": 1}\n')
    git(tmp_path, "init", "-q", "-b", "start")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "results")
    return tmp_path


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, env=os.environ | NAMED
    )
    return done.stdout.decode().strip()


def answered(root: Path, typed: bytes) -> tuple[int, str]:
    """Run ``leitmotif use folder`` at a terminal, type this when it asks; status and screen."""
    here, there = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, "use", "folder"],
        cwd=root,
        stdin=there,
        stdout=there,
        stderr=there,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    os.close(there)
    screen, asked, end = b"", False, time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            if not select.select([here], [], [], 1.0)[0]:
                if child.poll() is not None:
                    break
                continue
            try:
                read = os.read(here, 4096)
            except OSError:  # the other end is closed
                break
            if not read:
                break
            screen += read
            if QUESTION in screen and not asked:
                asked = True
                os.write(here, typed)
        return child.wait(SECONDS), screen.decode(errors="replace")
    finally:
        os.close(here)
        if child.poll() is None:
            child.kill()


def test_a_name_makes_the_branch(root: Path) -> None:
    status, screen = answered(root, b"mine\n")
    assert status == 0, screen
    assert git(root, "branch", "--show-current") == "mine"
    assert load_params(root / "params.yaml").corpus.source == "folder"
    assert "branch mine: results of this preset stay apart" in screen
    assert screen.count("has the results of the preset organism") == 1


def test_nothing_typed_stays_on_the_branch(root: Path) -> None:
    status, screen = answered(root, b"\n")
    assert status == 0, screen
    assert git(root, "branch", "--format=%(refname:short)") == "start"
    assert load_params(root / "params.yaml").corpus.source == "folder"
    assert screen.count("has the results of the preset organism") == 1


@pytest.mark.parametrize("typed", [INTERRUPT, END], ids=["Ctrl-C", "Ctrl-D"])
def test_who_breaks_off_changes_nothing(root: Path, typed: bytes) -> None:
    status, screen = answered(root, typed)
    assert status != 0
    assert "nothing was changed" in screen
    assert "Traceback" not in screen
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "branch", "--format=%(refname:short)") == "start"


def test_a_name_that_cannot_be_one_changes_nothing(root: Path) -> None:
    status, screen = answered(root, b"no such..name\n")
    assert status == 1
    assert re.search(r"the branch 'no such\.\.name' was not made, and nothing was changed", screen)
    assert git(root, "status", "--porcelain") == ""
