"""The job script for Slurm, with a stand-in for ``srun`` on this machine."""

import os
import subprocess
import sys
from pathlib import Path

from leitmotif.files import write_json

SRUN = """#!/bin/sh
"$@" &
"$@" &
wait
"""
PROGRAM = """
import os
from pathlib import Path
from leitmotif.config import ExecutionParams
from leitmotif.work.engine import working_on
from leitmotif.work.parallel import in_processes
from tests.cluster.jobs import place

settings = ExecutionParams(engine="dask", address=".leitmotif/scheduler.json", workers=2)
with working_on(settings, Path("calls")):
    results = list(in_processes(place, range(6)))
assert [number for number, _, _, _ in results] == [*range(6)]
assert os.getpid() not in {pid for _, pid, _, _ in results}
print("done on the cluster")
"""


def test_the_job_runs_a_command_on_its_workers(tmp_path: Path, repo_root: Path) -> None:
    done = _job(tmp_path, repo_root)
    assert "done on the cluster" in done.stdout, done.stderr
    assert done.returncode == 0, done.stderr


def test_a_job_whose_scheduler_does_not_start_ends(tmp_path: Path, repo_root: Path) -> None:
    done = _job(tmp_path, repo_root, dask="#!/bin/sh\necho no scheduler >&2\nexit 3\n")
    assert done.returncode == 1
    assert "no scheduler" in done.stderr
    assert done.stdout == ""


def _job(
    tmp_path: Path, repo_root: Path, **other_programs: str
) -> "subprocess.CompletedProcess[str]":
    """Run the script in a checkout, with these in the place of programs on the path."""
    checkout = tmp_path / "checkout"
    (checkout / ".venv/bin").mkdir(parents=True)
    for name in ("src", "tests"):
        (checkout / name).symlink_to(repo_root / name)
    programs = checkout / ".venv/bin"
    (programs / "activate").write_text(f"PATH={programs}:{Path(sys.executable).parent}:$PATH")
    for name, text in {"srun": SRUN, **other_programs}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (checkout / "program.py").write_text(PROGRAM)
    (checkout / ".leitmotif").mkdir()
    write_json(
        checkout / ".leitmotif/scheduler.json", {"address": "tcp://127.0.0.1:9"}
    )  # an old one
    return subprocess.run(
        [str(repo_root / "scripts/slurm-cluster"), "python", "program.py"],
        env={
            **os.environ,
            "SLURM_SUBMIT_DIR": str(checkout),
            "TMPDIR": str(tmp_path),
            "PYTHONPATH": str(checkout),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
