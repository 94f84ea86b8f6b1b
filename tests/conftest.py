"""Fixtures that several parts share."""

from pathlib import Path

import pytest
from hypothesis import settings

# No test measures time; how long an example takes depends on what else the machine does.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The repository that these tests belong to."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data(repo_root: Path) -> Path:
    """Recordings and metadata that are not part of the repository; skips where there are none."""
    folder = repo_root.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the recordings in {folder}")
    return folder
