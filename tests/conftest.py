"""Fixtures that several parts share."""

import os
from pathlib import Path

# Before anything loads a native library, and for the programs that tests start: tests run side by
# side in several processes, where more threads than processors would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, expect, sync_playwright

from leitmotif.audio.compiled import lock_compiled
from leitmotif.work.parallel import WORKERS
from tests.durations import TABLE, Measuring, longest_files_first, marked, read_durations

# Some tests use librosa themselves. In a fresh environment two test processes compile its functions
# at the same moment, and without the lock one may be kept under the other's number.
lock_compiled()

# Tests change things in this process that another would not know of.
os.environ[WORKERS] = "1"

# No test measures time: how long an example or a page takes depends on what else the machine does.
# Examples are the same in every run, so that no change fails by another one's bad luck.
settings.register_profile(
    "house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")
expect.set_options(timeout=120_000)

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ROOT = Path(__file__).resolve().parents[1]


COLLECTED = pytest.StashKey[list[pytest.Item]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `make durations` asks for."""
    parser.addoption("--measure", action="store_true", help="write tests/durations.json anew")


def pytest_configure(config: pytest.Config) -> None:
    """Measure, if asked for."""
    if config.getoption("measure"):
        config.pluginmanager.register(Measuring(TABLE))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by what they took, and begin with the files that take longest."""
    config.stash[COLLECTED] = list(items)
    durations = read_durations()
    marked(items, durations)
    for item in items:  # reports travel between processes, marks do not
        for mark in item.iter_markers("fault"):
            item.user_properties.append(("fault", (*mark.args, *mark.kwargs.values())))
    longest_files_first(items, durations)


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The repository that these tests belong to."""
    return ROOT


@pytest.fixture(scope="session")
def collected(pytestconfig: pytest.Config) -> list[pytest.Item]:
    """All tests of the files that this run was given, those left out by a marker included."""
    return pytestconfig.stash[COLLECTED]


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
