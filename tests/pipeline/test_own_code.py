"""A stage runs the sources that DVC notes, or none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import leitmotif
from leitmotif.errors import StageError
from leitmotif.pipeline.own_code import check_code

PACKAGE = Path(leitmotif.__file__).parent


def checkout(root: Path) -> Path:
    shutil.copytree(
        PACKAGE, root / "src/leitmotif", ignore=shutil.ignore_patterns("__pycache__", "*.partial")
    )
    return root / "src/leitmotif"


def test_a_copy_with_the_same_sources_runs(tmp_path: Path) -> None:
    check_code(tmp_path)  # no sources there
    checkout(tmp_path)
    check_code(tmp_path)


@pytest.mark.fault(
    "queued experiment",
    "the code that would run is not that of its copy of the checkout",
    outcome="the stage stops, names a file that differs, and says how to run the copy's own code",
)
@pytest.mark.parametrize("change", ["edited", "removed", "added"])
def test_other_sources_are_refused(tmp_path: Path, change: str) -> None:
    package = checkout(tmp_path)
    match change:
        case "edited":
            (package / "claims.py").write_text("# of another commit\n")
        case "removed":
            (package / "claims.py").unlink()
        case _:
            (package / "claims_too.py").write_text("")
    with pytest.raises(StageError, match="not the code of this folder") as refused:
        check_code(tmp_path)
    assert "claims" in str(refused.value.found)


def test_what_it_advises_helps(tmp_path: Path) -> None:
    package = checkout(tmp_path)
    (package / "claims.py").write_text(f"{(package / 'claims.py').read_text()}# edited\n")
    program = "from leitmotif.pipeline.own_code import check_code; check_code()"
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": "src"},
        check=True,
    )
