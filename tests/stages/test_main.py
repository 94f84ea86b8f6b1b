"""The command that dvc.yaml runs for each stage."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from leitmotif.files.yaml_files import read_yaml
from leitmotif.stages.__main__ import SHARED, main


def test_what_processes_import_ahead_is_of_stages_and_exists(repo_root: Path) -> None:
    stages = read_yaml(repo_root / "dvc.yaml")["stages"]
    assert set(SHARED) <= set(stages)
    for modules in SHARED.values():
        assert all(find_spec(module) for module in modules)


@pytest.mark.parametrize("arguments", [[], ["no_such"], ["../corpus"], ["corpus", "manifest"]])
def test_what_is_no_stage_is_named(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="no stage"):
        main(arguments)


def test_importing_nothing_heavy_comes_before_the_processes_begin() -> None:
    code = (
        "import sys, leitmotif.stages.__main__\n"
        "print([m for m in ('torch', 'pydantic', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
