#!/usr/bin/env python3
"""Run every test that injects a fault and write docs/reliability.md from their outcomes.

    python scripts/reliability.py              # runs the tests, writes the page
    python scripts/reliability.py --rows       # runs nothing; prints the rows that there should be

A test says what it injects by ``@pytest.mark.fault(where, what, outcome=what must happen)``; tests
with the same words share a row. A test that tries many inputs says how many with
``record_property("inputs", n)``. If a test fails, the page stays as it was and the status is 1.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

SECTION = "\n## "
"""What begins a section of the page; those after the table are written by hand, and stay."""
IN_TWO_PROCESSES = ["--numprocesses", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
"""As `make test` does."""
ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
Row = tuple[str, ...]
"""Where a fault is injected, what is injected, what must happen."""

HEAD = """\
# Reliability

Every fault that the tests inject, and what must happen then. `make reliability` runs these tests
and writes this page; each row is that of one or more tests marked with
`@pytest.mark.fault(where, what, outcome=…)`. *Tests* counts the cases that ran and passed, *inputs*
the mutated inputs that those of them tried that say how many.

{tests:,} tests and {inputs:,} mutated inputs; all passed.

| where | fault | what must happen | tests | inputs |
|---|---|---|---:|---:|
"""


def row_of(marker: pytest.Mark) -> Row:
    """The row that a marker asks for; raises ValueError unless it has three texts."""
    row = (*marker.args, *marker.kwargs.values())
    texts = all(isinstance(text, str) and text and not set("|\n") & set(text) for text in row)
    if len(marker.args) != 2 or list(marker.kwargs) != ["outcome"] or not texts:
        raise ValueError(f"fault(where, what, outcome=…) takes three texts without |: {marker}")
    return row


class Recorder:
    """A plugin of pytest: which rows there should be, and how the tests of each ended."""

    def __init__(self) -> None:
        self.rows: set[Row] = set()
        self.passed: Counter[Row] = Counter()
        self.inputs: Counter[Row] = Counter()
        self.others: list[str] = []
        """Tests that were skipped or failed."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note the rows."""
        for item in items:
            self.rows |= {row_of(marker) for marker in item.iter_markers("fault")}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a test ended, in this process or in another; conftest.py adds its rows."""
        given: list[tuple[str, Any]] = report.user_properties
        rows = {tuple(texts) for name, texts in given if name == "fault"}
        self.rows |= rows
        if report.when == "call" and report.passed:
            inputs = sum(int(n) for name, n in given if name == "inputs")
            self.passed.update(rows)
            self.inputs.update(dict.fromkeys(rows, inputs))
        elif not report.passed:
            self.others.append(f"{report.outcome}: {report.nodeid}")


def page(recorder: Recorder) -> str:
    """The page's text."""
    lines = [
        f"| {where} | {what} | {outcome} | {recorder.passed[where, what, outcome]} "
        f"| {recorder.inputs[where, what, outcome] or ''} |\n"
        for where, what, outcome in sorted(recorder.rows, key=lambda row: [*map(str.lower, row)])
    ]
    tests, inputs = recorder.passed.total(), recorder.inputs.total()
    return HEAD.format(tests=tests, inputs=inputs) + "".join(lines)


def rows_of_page(text: str) -> list[Row]:
    """The rows that a page has, those of later sections not included."""
    table = text.partition(SECTION)[0]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return [(row[0], row[1], row[2]) for row in cells[1:]]


def main() -> int:
    """Do what the arguments say; the status is 1 if a test did not pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", action="store_true", help="print the rows as JSON; run nothing")
    arguments = parser.parse_args()
    recorder = Recorder()
    options = ["--collect-only", "-qq", "-n", "0"] if arguments.rows else IN_TWO_PROCESSES
    command = ["--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), "-m", "fault", *options]
    status = pytest.main([*command, str(ROOT / "tests")], plugins=[recorder])
    if arguments.rows:
        print("\n" + json.dumps(sorted(recorder.rows)))
        return int(status)
    print("\n".join(recorder.others))
    idle = [row for row in recorder.rows if not recorder.passed[row]]
    if status or idle:
        print(f"{PAGE.name} was not written; rows without a passed test:", file=sys.stderr)
        print(*idle[:20], sep="\n", file=sys.stderr)
        return 1
    _, section, rest = PAGE.read_text(encoding="utf-8").partition(SECTION)
    PAGE.write_text(page(recorder) + section + rest, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
