"""`make repro` leaves out DVC's look only where nothing that DVC looks at has changed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PIPELINE = """
stages:
  copy:
    cmd: mkdir -p made && cp -r folder/. {outside} params.yaml made/
    params:
      - number
    deps:
      - folder
      - {outside}
    outs:
      - made
"""
Act = Callable[[Path, Path], object]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file beside the repository, as recordings may be."""
    path = tmp_path / "outside.txt"
    path.write_text("outside")
    return path


@pytest.fixture
def root(tmp_path: Path, outside: Path) -> Path:
    """A repository in which everything was run, and found up to date."""
    root = tmp_path / "repository"
    (root / "folder" / "inner").mkdir(parents=True)
    (root / "folder" / "inner" / "a.txt").write_text("a")
    (root / "params.yaml").write_text("number: 1\n")
    (root / "dvc.yaml").write_text(PIPELINE.format(outside=outside))
    (root / ".dvcignore").write_text("__pycache__\n")
    dvc(root, "init", "--no-scm", "--quiet")
    dvc(root, "repro", "--quiet")
    return root


def dvc(root: Path, *arguments: str) -> None:
    subprocess.run([Path(sys.executable).parent / "dvc", *arguments], cwd=root, check=True)


def said(repo_root: Path, root: Path, *arguments: str) -> int:
    """Exit status of the script in ``root``."""
    command = [sys.executable, repo_root / "scripts" / "unchanged.py", *arguments]
    return subprocess.run(command, cwd=root, check=False).returncode


def edit(root: Path, _: Path) -> None:
    path = root / "folder" / "inner" / "a.txt"
    path.write_text("b")
    os.utime(path, ns=(0, 0))  # another time, whatever the clock's steps are


CHANGES: dict[str, Act] = {
    "a file of a folder": edit,
    "a new file": lambda root, _: (root / "folder" / "inner" / "b.txt").write_text("b"),
    "a file that is gone": lambda root, _: (root / "folder" / "inner" / "a.txt").unlink(),
    "a parameter": lambda root, _: (root / "params.yaml").write_text("number: 23\n"),
    "an output": lambda root, _: (root / "made" / "params.yaml").unlink(),
    "a dependency outside": lambda _, outside: outside.write_text("something else"),
    "DVC's settings": lambda root, _: (root / ".dvc" / "config.local").write_text("[core]\n"),
    "the pipeline": lambda root, _: (root / "dvc.yaml").write_text("stages: {}\n"),
    "what was run": lambda root, _: (root / "dvc.lock").unlink(),
    "a torn record": lambda root, _: (root / ".leitmotif" / "up-to-date.json").write_text("{"),
    "a foreign record": lambda root, _: (root / ".leitmotif" / "up-to-date.json").write_text("7"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_seen(repo_root: Path, root: Path, outside: Path, change: str) -> None:
    assert said(repo_root, root) == 1  # nobody has asked DVC yet
    assert said(repo_root, root, "--keep") == 0
    assert said(repo_root, root) == 0
    CHANGES[change](root, outside)
    assert said(repo_root, root) == 1


def test_what_python_compiled_is_no_change(repo_root: Path, root: Path) -> None:
    said(repo_root, root, "--keep")
    (root / "folder" / "__pycache__").mkdir()
    (root / "folder" / "__pycache__" / "a.pyc").write_text("")
    assert said(repo_root, root) == 0


def test_a_folder_behind_a_link_is_left_to_dvc(repo_root: Path, root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / "folder" / "link").symlink_to(tmp_path / "elsewhere")
    dvc(root, "repro", "--quiet")
    said(repo_root, root, "--keep")
    assert said(repo_root, root) == 1


def test_what_is_not_up_to_date_is_not_kept(repo_root: Path, root: Path, outside: Path) -> None:
    said(repo_root, root, "--keep")
    edit(root, outside)
    said(repo_root, root, "--keep")
    assert said(repo_root, root) == 1


def test_what_changes_while_dvc_looks_is_not_kept(repo_root: Path, root: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, 'SCRIPTS'); import unchanged, subprocess;"
        "run = subprocess.run;"
        "subprocess.run = lambda *a, **k: ("
        "run(*a, **k), open('folder/inner/a.txt', 'w').write('longer'))[0];"
        "unchanged.keep()"
    ).replace("SCRIPTS", str(repo_root / "scripts"))
    subprocess.run([sys.executable, "-c", program], cwd=root, check=True)
    assert said(repo_root, root) == 1


def test_an_argument_that_is_none(repo_root: Path, tmp_path: Path) -> None:
    assert said(repo_root, tmp_path, "--forget") == 2
