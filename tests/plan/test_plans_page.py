"""The page of what a run takes has the table that the command computes."""

import subprocess
import sys
from pathlib import Path


def test_the_table_of_the_page_is_what_the_script_writes(repo_root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "scripts/plans.py", "--check"],
        cwd=repo_root,
        env={"PYTHONPATH": "src", "HF_HUB_OFFLINE": "1", "HF_HOME": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr or "run `python scripts/plans.py`"
