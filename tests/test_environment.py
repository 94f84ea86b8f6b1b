"""scripts/environment, as far as it goes without installing anything."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "environment"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A repository with the script alone, and a PATH without Python and uv."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts" / "environment")
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "dirname"):
        path = shutil.which(tool)
        assert path is not None
        (tmp_path / "bin" / tool).symlink_to(path)
    return tmp_path


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(root / "scripts" / "environment"), *arguments],
        env={"PATH": str(root / "bin")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def fake_python(root: Path, name: str, *, status: int) -> None:
    """A program that answers the version check with ``status`` and can do nothing else."""
    program = root / "bin" / name
    program.write_text(f"#!{root}/bin/bash\n[[ $1 == -c ]] && exit {status}\nexit 1\n")
    program.chmod(0o755)


def test_without_python_it_says_what_to_install(bare: Path) -> None:
    done = run(bare)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "apt install python3 python3-venv" in done.stderr
    assert not (bare / ".venv").exists()


def test_an_old_python_and_a_shim_that_does_not_run_are_passed_over(bare: Path) -> None:
    fake_python(bare, "python3", status=1)  # too old
    fake_python(bare, "python3.12", status=127)  # a pyenv shim for a version that is not active
    assert "Python 3.11 or newer is needed" in run(bare).stderr


def test_a_python_without_venv_is_explained(bare: Path) -> None:
    fake_python(bare, "python3.13", status=0)
    done = run(bare)
    assert done.returncode == 1
    assert f"{bare}/bin/python3.13 cannot make a virtual environment" in done.stderr
    assert "apt install python3-venv" in done.stderr


def test_an_unknown_argument_is_refused(bare: Path) -> None:
    assert "unknown argument --new" in run(bare, "--new").stderr
