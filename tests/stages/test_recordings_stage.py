"""DVC watches the list of a folder's files, and never looks into the folder itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leitmotif.cli.preset_texts import preset
from leitmotif.files import read_table
from leitmotif.tables.corpus import Failure

CORPUS = """\
stages:
  corpus:
    cmd: python -m leitmotif.stages corpus
    deps:
      - ${corpus.watch}
    params:
      - corpus
    outs:
      - data/corpus
"""


@pytest.fixture
def repository(tmp_path: Path, repo_root: Path) -> Path:
    root = tmp_path / "repository"
    (root / "data/sources").mkdir(parents=True)
    (root / "mine").mkdir()
    (root / "dvc.yaml").write_text(CORPUS)
    shutil.copy(repo_root / "data/sources/dvc.yaml", root / "data/sources")
    settings = ["corpus.path=mine", "model.name=facebook/none", f"model.revision={'a' * 40}"]
    (root / "params.yaml").write_text(preset("folder", settings, root=repo_root))
    (root / "hooks.yaml").write_text("hooks: []\n")
    run(root, "dvc", "init", "--no-scm", "-q")
    return root


def run(root: Path, program: str, *arguments: str) -> str:
    folder = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [folder / program, *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def record(path: Path, seconds: float) -> None:
    soundfile.write(path, 0.1 * np.sin(np.arange(round(8000 * seconds)) / 10), 8000)


@pytest.mark.fault(
    "dvc repro, folder",
    "pipe and broken link in the folder",
    outcome="both in failures.jsonl; a changed recording makes the corpus stale",
)
def test_dvc_neither_hangs_nor_stops_and_notices_what_changes(repository: Path) -> None:
    record(repository / "mine/a.wav", 1.0)
    os.mkfifo(repository / "mine/pipe.wav")
    (repository / "mine/broken.wav").symlink_to("nothing")
    assert "Running stage 'corpus'" in run(repository, "dvc", "repro")
    failures = read_table(repository / "data/corpus/failures.jsonl", Failure)
    assert {row.path: row.reason for row in failures} == {
        "broken.wav": "unreadable",
        "pipe.wav": "unreadable",
    }
    assert "Stage 'corpus' didn't change" in run(repository, "dvc", "repro")
    record(repository / "mine/a.wav", 1.5)
    assert "Running stage 'corpus'" in run(repository, "dvc", "repro")
