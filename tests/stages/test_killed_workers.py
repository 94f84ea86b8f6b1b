"""The system kills a process that works on one recording: the stage or command does the others."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leitmotif.files import read_table, sha256_file, write_json, write_table
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.store.reading.index import read_index
from leitmotif.tables.corpus import Failure
from leitmotif.work.parallel import WORKERS
from tests.tables.made import manifest_track
from tests.tiny import save_tiny_checkpoint

NAMES = ("a", "deadly", "b")
DEADLY = """
import os, signal

opened = os.open

def deadly(path, *rest, **more):
    # Only the processes that others start to share their work have this variable at 1.
    if os.environ.get("LEITMOTIF_WORKERS") == "1" and "deadly.wav" in os.fsdecode(path):
        os.kill(os.getpid(), signal.SIGKILL)
    return opened(path, *rest, **more)

os.open = deadly
"""
"""What every Python that is started runs first: whoever decodes one file is killed."""


@pytest.fixture
def workspace(tmp_path: Path, repo_root: Path) -> Path:
    """What the stages before ``activations`` leave, with three recordings."""
    folder = tmp_path / "workspace"
    audio = folder / "data/corpus/audio"
    audio.mkdir(parents=True)
    (tmp_path / "deadly").mkdir()
    (tmp_path / "deadly" / "sitecustomize.py").write_text(DEADLY)
    rows = []
    for number, name in enumerate(NAMES):
        path = audio / f"{name}.wav"
        samples = 0.1 * np.random.default_rng(number).standard_normal(64_000)
        soundfile.write(path, samples, 32_000)
        rows.append(
            manifest_track(
                track_id=name, path=f"audio/{path.name}", sha256=sha256_file(path), seconds=2.0
            )
        )
    write_table(folder / "data/manifest.jsonl", rows)
    write_table(folder / "data/failures.jsonl", [])
    save_tiny_checkpoint(folder / "tiny", layers=3)
    params = parse_yaml((repo_root / "presets/organism.yaml").read_text())
    params["model"] |= {"name": "tiny", "watch": "tiny"}
    params["activations"] |= {"sites": ["layers.1.residual"], "max_failures": 1}
    params["calibration"]["site"], params["probes"]["comparisons"] = "layers.1.residual", []
    write_json(folder / "params.yaml", params)
    return folder


def run(workspace: Path, *command: str) -> tuple[int, str]:
    """Run a command with two processes; returns its status and what it said."""
    paths = [str(workspace.parent / "deadly"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=workspace,
        env={
            **os.environ,
            WORKERS: "2",
            "HF_HUB_OFFLINE": "1",
            "PYTHONPATH": os.pathsep.join(paths),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.fault(
    "activations stage",
    "the process that reads a recording is killed",
    outcome="that recording's failure, with its reason; the others are done",
)
def test_the_store_has_the_others(workspace: Path) -> None:
    status, said = run(workspace, "-m", "leitmotif.stages", "activations")
    assert status == 0, said
    (failure,) = read_table(workspace / "data/activations/failures.jsonl", Failure)
    assert (failure.track_id, failure.reason) == ("deadly", "killed")
    assert [row.track_id for row in read_index(workspace / "data/activations")] == ["a", "b"]


@pytest.mark.fault(
    "leitmotif propose",
    "the process that searches a recording is killed",
    outcome="that recording's failure, with its reason; the others are done, the status is 1",
)
def test_the_others_are_searched_and_the_status_says_so(workspace: Path) -> None:
    command = ("-c", "from leitmotif.cli import main; main()", "propose", "--out", "out.jsonl")
    status, said = run(workspace, *command, "--all", "data/corpus/audio")
    assert status == 1
    assert "deadly.wav ended the process" in said
    assert "SIGKILL" in said
    assert (workspace / "out.jsonl").exists()
