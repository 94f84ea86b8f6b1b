"""A repository that passes the protocol, made once; tests change copies of it."""

import shutil
from pathlib import Path

import pytest

from tests.share.protocol import made


@pytest.fixture(scope="package")
def sound(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """Not to be written to."""
    folder = tmp_path_factory.mktemp("protocol")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made.build(folder, repo_root)
    return folder


@pytest.fixture
def repository(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, which is the working directory."""
    copy = shutil.copytree(sound, tmp_path / "repository", symlinks=True)
    monkeypatch.chdir(copy)
    return copy
