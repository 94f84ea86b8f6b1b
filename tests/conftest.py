"""Fixtures that several parts share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

from leitmotif.parallel import WORKERS

# Tests change things in this process that another would not know of.
os.environ[WORKERS] = "1"

# No test measures time; how long an example takes depends on what else the machine does.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; skips where there is none."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.skip(f"needs a Chromium on the PATH: none of {', '.join(CHROMIUM)} is")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser
        browser.close()
