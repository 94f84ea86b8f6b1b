"""Fixtures of several commands."""

import subprocess
from pathlib import Path

import pytest

from leitmotif.cli import presets


@pytest.fixture
def checkout(tmp_path: Path, repo_root: Path) -> Path:
    """A git repository with the real presets, the organism's params committed."""
    (tmp_path / "presets").mkdir()
    for preset in (repo_root / "presets").glob("*.yaml"):
        (tmp_path / "presets" / preset.name).write_bytes(preset.read_bytes())
    presets.use("organism", root=tmp_path)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "start"]):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    return tmp_path
