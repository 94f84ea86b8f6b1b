"""Which tests are slow or long: by a table that a run of all tests writes."""

import ast
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.durations import LONG, SLOW, Measuring, function_of, read_durations

SHARED = """
import time, pytest

@pytest.fixture(scope="module")
def shared():
    time.sleep(0.6)

@pytest.mark.parametrize("number", range(2))
def test_first(shared, number):
    pass

def test_second(shared):
    assert {passes}

def test_quick():
    pass
"""
MEASURED = """
import sys
from pathlib import Path
from tests.durations import Measuring

def pytest_configure(config):
    config.pluginmanager.register(Measuring(Path(__file__).with_name("table.json")))
"""


def report(name: str, seconds: float, shared: float = 0.0) -> pytest.TestReport:
    properties: list[tuple[str, object]] = [("seconds of shared fixtures", shared)]
    return pytest.TestReport(
        name, ("", 0, ""), {}, "passed", None, "call", duration=seconds, user_properties=properties
    )


def test_every_test_that_is_listed_is_there(repo_root: Path) -> None:
    there = set()
    for path in (repo_root / "tests").rglob("test_*.py"):
        file = path.relative_to(repo_root).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                there.add(f"{file}::{node.name}")
    gone = set(read_durations()) - there
    assert not gone, "rename or delete these in tests/durations.json, or run `make durations`"
    assert min(read_durations().values()) >= SLOW


def test_no_two_files_of_tests_have_one_name(repo_root: Path) -> None:
    """pytest takes them for one module, and runs none of the second."""
    names = Counter(path.name for path in (repo_root / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_tests_are_marked_by_the_table(collected: list[pytest.Item]) -> None:
    durations = read_durations()
    for item in collected:
        seconds = durations.get(function_of(item.nodeid), 0.0)
        names = {marker.name for marker in item.iter_markers()} & {"slow", "long"}
        assert ("slow" in names, "long" in names) == (seconds >= SLOW, seconds >= LONG)


def test_a_function_counts_with_its_parameters_and_what_it_shares(tmp_path: Path) -> None:
    measuring = Measuring(tmp_path / "table.json")
    for number in range(3):
        measuring.pytest_runtest_logreport(report(f"tests/a.py::test_a[{number}]", 0.2, 10.0))
    measuring.pytest_runtest_logreport(report("tests/a.py::test_quick", 0.4999))
    assert measuring.seconds == {
        "tests/a.py::test_a": pytest.approx(10.6),
        "tests/a.py::test_quick": 0.4999,
    }
    measuring.write()
    assert read_durations(measuring.table) == {"tests/a.py::test_a": 11.0}


@pytest.mark.parametrize("passes", [True, False])
def test_a_run_measures_what_tests_share(repo_root: Path, tmp_path: Path, passes: bool) -> None:
    (tmp_path / "test_shared.py").write_text(SHARED.format(passes=passes))
    (tmp_path / "conftest.py").write_text(MEASURED)
    (tmp_path / "table.json").write_text("{}")
    options = ["-n", "2", "--dist", "loadfile", "-c", "/dev/null", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options, str(tmp_path)],
        cwd=repo_root,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == (not passes), done.stdout + done.stderr
    measured = json.loads((tmp_path / "table.json").read_text())
    if passes:
        shared = {measured["test_shared.py::test_first"], measured["test_shared.py::test_second"]}
        assert min(shared) >= 0.6
    else:
        assert not measured, "a table of a run that failed is not kept"
