"""Progress: lines in a log that are worth reading, and bars on a terminal that take turns."""

import io
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest
from rich.progress import Progress

from leitmotif.work import progress as module
from leitmotif.work.progress import progress


class Clock:
    """Time that passes only when a loop works."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def work(clock: Clock, *, items: int, seconds: float) -> list[int]:
    done = []
    for item in progress(range(items), "work", total=items):
        clock.now += seconds
        done.append(item)
    return done


def test_a_log_has_a_line_every_tenth(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert work(clock, items=30, seconds=1.0) == list(range(30))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"work: {3 * tenth}/30 in {3 * tenth} s" for tenth in range(1, 11)]


def test_of_a_short_loop_a_log_says_nothing(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    assert work(clock, items=100, seconds=0.019) == list(range(100))
    assert work(clock, items=0, seconds=1.0) == []
    assert capsys.readouterr().err == ""


def test_lines_keep_apart_and_the_end_is_said(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    work(clock, items=10, seconds=0.7)
    assert capsys.readouterr().err.splitlines() == [
        "work: 3/10 in 2 s",
        "work: 6/10 in 4 s",
        "work: 9/10 in 6 s",
        "work: 10/10 in 7 s",
    ]
    work(clock, items=1, seconds=60.0)
    assert capsys.readouterr().err == "work: 1/1 in 60 s\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def displays(monkeypatch: pytest.MonkeyPatch) -> list[Progress]:
    """The groups of bars that have been put on a terminal."""
    started: list[Progress] = []

    class Recorded(Progress):
        def start(self) -> None:
            started.append(self)
            super().start()

    monkeypatch.setattr(module, "Progress", Recorded)
    return started


def test_a_loop_within_a_loop_adds_its_bar(
    displays: list[Progress], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    shown = []
    for _ in progress("ab", "outer", total=2):
        for _ in progress("cd", "inner", total=2):
            (bars,) = displays
            assert bars.live.is_started
            shown.append([(task.description, task.completed) for task in bars.tasks])
    assert shown == [
        [("outer", outer), ("inner", inner)] for outer in range(2) for inner in range(2)
    ]
    assert not bars.live.is_started


def test_a_loop_that_is_left_takes_its_bar_away(
    displays: list[Progress], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    outer = progress("ab", "outer", total=2)
    next(outer)
    inner = progress("cd", "inner", total=2)
    next(inner)
    inner.close()
    (bars,) = displays
    assert bars.live.is_started
    assert [task.description for task in bars.tasks] == ["outer"]
    outer.close()
    assert not bars.live.is_started
    assert list(progress("ef", "later", total=2)) == ["e", "f"]
    assert len(displays) == 2


def loop(items: int) -> int:
    module.LEAST_SECONDS = 0.0  # in that process
    return sum(1 for _ in progress(range(items), "loop", total=items))


def test_a_process_that_shares_the_work_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(loop, 10).result(timeout=60) == 10
    assert "loop" not in capfd.readouterr().err
