"""How long tests take, and which are slow or long for that.

durations.json holds the seconds of every test function that takes half a second or more: with all
its parameters, and with the fixtures that it shares with others. A function that is not listed is
quick. ``make durations`` runs all tests and writes the file anew: do this on a machine that does
nothing else.
"""

import json
import math
import time
from collections import defaultdict
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

TABLE = Path(__file__).with_name("durations.json")
SLOW, LONG = 0.5, 8.0
"""Seconds from which a function is slow, or long. ``make test-quick`` runs what is neither,
``make test`` what is not long, ``make test-long`` the others."""
_SHARED = "seconds of shared fixtures"

clock = time.perf_counter


def read_durations(table: Path = TABLE) -> dict[str, float]:
    """Return seconds by function, named as pytest does, without parameters."""
    durations: dict[str, float] = json.loads(table.read_text())
    return durations


def function_of(test: str) -> str:
    """Return a test's name without its parameters."""
    return test.partition("[")[0]


def marked(items: Iterable[pytest.Item], durations: dict[str, float]) -> None:
    """Mark the tests of slow functions as ``slow``, and those of long ones as ``long`` too."""
    for item in items:
        seconds = durations.get(function_of(item.nodeid), 0.0)
        if seconds >= SLOW:
            item.add_marker("slow")
        if seconds >= LONG:
            item.add_marker("long")


def longest_files_first(items: list[pytest.Item], durations: dict[str, float]) -> None:
    """Sort tests so that no process is left alone with a file that takes long."""
    names = {function_of(item.nodeid): item.path for item in items}
    seconds: dict[Path, float] = defaultdict(float)
    for name, path in names.items():
        seconds[path] += durations.get(name, 0.0)
    items.sort(key=lambda item: -seconds[item.path])


class Measuring:
    """A plugin of pytest that writes the table after a run of all tests without a failure.

    A shared fixture is made by the first test that needs it. It counts for every function that
    uses it, because each could be the only one that runs. Fixtures of one name in several files
    are told apart by time: a test's own was made last.
    """

    def __init__(self, table: Path) -> None:
        self.table = table
        self._shared: dict[str, float] = {}
        self._calls: dict[str, float] = defaultdict(float)
        self._uses: dict[str, float] = defaultdict(float)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Take the time of a fixture that is not made anew for every test."""
        started = clock()
        try:
            return (yield)
        finally:
            if fixturedef.scope != "function":
                self._shared[fixturedef.argname] = clock() - started

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Tell the process that collects reports what this test's shared fixtures took."""
        used = item.fixturenames if isinstance(item, pytest.Function) else []
        seconds = sum(self._shared.get(name, 0.0) for name in used)
        item.user_properties.append((_SHARED, seconds))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add what a test took; of its set-up only what is its own."""
        name = function_of(report.nodeid)
        if report.when == "call":
            shared = dict(report.user_properties).get(_SHARED)
            self._calls[name] += report.duration
            self._uses[name] = max(self._uses[name], float(str(shared or 0.0)))

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the table, unless a test failed, or this is one process of several."""
        if exitstatus == 0 and not hasattr(session.config, "workerinput"):
            self.write()

    @property
    def seconds(self) -> dict[str, float]:
        """What each function took."""
        return {name: self._calls[name] + self._uses[name] for name in self._calls}

    def write(self) -> None:
        """Write the table, rounded to two digits, so that few lines change with the next one."""
        listed = {
            name: round(seconds, 1 - math.floor(math.log10(seconds)))
            for name, seconds in sorted(self.seconds.items())
            if seconds >= SLOW
        }
        self.table.write_text(json.dumps(listed, indent=1) + "\n")
