"""The check that bytes are equal everywhere must be able to fail: in float32 they are not."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ("corpus.pieces=8", "manifest.tracks=4")
STAGES = ("corpus", "manifest", "features", "activations")


def run(repo_root: Path, dtype: str) -> "subprocess.CompletedProcess[str]":
    settings = [part for setting in SMALL for part in ("--set", setting)]
    command = [sys.executable, "scripts/portability.py", "--runs", "capped"]
    # The tests' own limit of threads would make the usual run more like the other.
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return subprocess.run(
        [*command, "--dtype", dtype, *settings, "--stages", *STAGES],
        cwd=repo_root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_float32_follows_the_processor(repo_root: Path) -> None:
    done = run(repo_root, "float32")
    assert done.returncode == 1, done.stderr
    by_stage = dict(zip(STAGES, done.stdout.split("equal"), strict=False))
    assert "data/activations/" in done.stdout
    # What no model computes is the same all the same, so the two runs did the same work.
    assert "corpus: " in by_stage["corpus"]
    for line in done.stdout.splitlines():
        if line.strip().startswith(("corpus:", "manifest:", "features:")):
            equal, _, of = line.split(":")[1].split()[:3]
            assert equal == of != "0"


def test_float64_does_not(repo_root: Path) -> None:
    done = run(repo_root, "float64")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_run_on_a_device_begins_where_a_model_is_used(
    repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(repo_root / "scripts"))
    from portability import OTHERS, USUAL, stages_of

    arguments = argparse.Namespace(stages=[*STAGES, "labels", "interventions", "report"])
    own = {run.name: stages_of(run, arguments) for run in (USUAL, *OTHERS.values())}
    assert own["as usual"] == own["capped"] == arguments.stages
    assert own["pretend"] == own["gpu"] == ["activations", "interventions", "report"]
