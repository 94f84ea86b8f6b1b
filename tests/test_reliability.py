"""docs/reliability.md has a row for every fault that a test injects, and no other."""

import re
from pathlib import Path
from typing import Literal, get_args

import pytest
import reliability

TESTS = Path(__file__).parent


def test_the_page_has_the_rows_of_the_markers(collected: list[pytest.Item]) -> None:
    marked = {
        path for path in TESTS.rglob("test_*.py") if re.search(r"mark\.fault\(", path.read_text())
    }
    missing = marked - {item.path for item in collected}
    if missing - {Path(__file__)}:
        pytest.skip("needs a run of all tests: only then all markers are known")
    wanted = {
        reliability.row_of(marker) for item in collected for marker in item.iter_markers("fault")
    }
    rows = reliability.rows_of_page(reliability.PAGE.read_text(encoding="utf-8"))
    assert set(rows) == wanted, "run `make reliability`"
    assert len(set(rows)) == len(rows)


def test_the_page_says_what_was_recorded() -> None:
    recorder = reliability.Recorder()
    first, second = ("table", "a torn line", "named"), ("Disk", "full", "said")
    recorder.rows = {first, second}
    recorder.passed.update([first, first, second])
    recorder.inputs[first] = 40
    text = reliability.page(recorder)
    assert reliability.rows_of_page(text) == [second, first]
    assert "| table | a torn line | named | 2 | 40 |" in text
    assert "3 tests and 40 mutated inputs" in text


Outcome = Literal["passed", "skipped"]
When = Literal["setup", "call", "teardown"]


def test_reports_say_which_rows_have_passed() -> None:
    row = ["table", "a torn line", "named"]

    def report(outcome: Outcome, when: When, **properties: object) -> pytest.TestReport:
        given = [("fault", row), *properties.items()]
        return pytest.TestReport(
            "test_x", ("", 0, ""), {}, outcome, None, when, user_properties=given
        )

    recorder = reliability.Recorder()
    recorder.pytest_runtest_logreport(report("skipped", "setup"))
    assert recorder.rows == {tuple(row)}
    assert recorder.others == ["skipped: test_x"]
    assert not recorder.passed
    for when in get_args(When):
        recorder.pytest_runtest_logreport(report("passed", when, inputs=7))
    assert dict(recorder.passed) == {tuple(row): 1}
    assert dict(recorder.inputs) == {tuple(row): 7}


@pytest.mark.parametrize(
    "marker",
    [
        pytest.mark.fault("table", "torn"),
        pytest.mark.fault("table", outcome="named"),
        pytest.mark.fault("table", "torn", "named"),
        pytest.mark.fault("table", "torn | cut", outcome="named"),
        pytest.mark.fault("table", "", outcome="named"),
        pytest.mark.fault("table", "torn", outcome="named", more="text"),
    ],
)
def test_a_marker_of_other_words_is_refused(marker: pytest.MarkDecorator) -> None:
    with pytest.raises(ValueError, match="takes three texts"):
        reliability.row_of(marker.mark)
