"""What the benchmark of the pipeline counts: all processes of a stage, and shared pages once."""

import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from benchmarks import pipeline
from benchmarks.pipeline import NOTHING_TO_DO, Cost, compared, cost, session, sources_first
from tests.waiting import wait_until

MEGABYTES = 96
HOLD = f"""
import os, signal, sys, time
from pathlib import Path

signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children

def hold(until):
    (folder / f"ready-{{os.getpid()}}").touch()
    for _ in range(30_000):  # not for ever, should the test fail
        if (folder / until).exists():
            break
        time.sleep(0.01)

folder, children = Path(sys.argv[1]), sys.argv[2:]
block = bytearray(b"x") * ({MEGABYTES} << 20)
for kind in children:
    if os.fork() == 0:
        block = bytearray(block) if kind == "copies" else block
        hold("looked at")
        os._exit(0)
hold("children ended" if children else "looked at")
"""
"""A process with a block of memory, and children that share it or hold a copy."""


def held(folder: Path, monkeypatch: pytest.MonkeyPatch, *children: str) -> float:
    """Megabytes that the benchmark finds; no process ends before all were looked at together."""
    folder.mkdir()
    look = pipeline.held

    def look_at_all(processes: Collection[int]) -> float:
        complete = len(list(folder.glob("ready-*"))) == 1 + len(children)
        megabytes = look(processes)
        if complete:
            leader = os.getsid(next(iter(processes)))
            (folder / "looked at").touch()
            # Of processes that end during a look, shared pages can count more than once.
            wait_until(lambda: set(session(leader)) <= {leader} or not children)
            (folder / "children ended").touch()
        return megabytes

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "held", look_at_all)
        return cost([sys.executable, "-c", HOLD, str(folder), *children], folder).megabytes


def test_memory_is_that_of_all_processes_and_shared_pages_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = held(tmp_path / "alone", monkeypatch)
    assert MEGABYTES < alone < 2 * MEGABYTES
    shared = held(tmp_path / "shared", monkeypatch, "shares", "shares")
    assert shared == pytest.approx(alone, abs=0.5 * MEGABYTES)
    assert held(tmp_path / "copies", monkeypatch, "copies", "copies") > alone + 1.5 * MEGABYTES


def test_processes_that_nobody_waits_for_are_of_the_session(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path), "shares", "shares"]
    leader = subprocess.Popen(command, start_new_session=True)
    wait_until(lambda: len(list(tmp_path.glob("ready-*"))) == 3)
    assert len(session(leader.pid)) == 3
    (tmp_path / "looked at").touch()
    (tmp_path / "children ended").touch()
    leader.wait()


def test_a_command_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"status 3\n.*what was said"):
        cost([sys.executable, "-c", "print('what was said'); raise SystemExit(3)"], tmp_path)
    with pytest.raises(RuntimeError, match="status 0"):
        cost([sys.executable, "-c", "print('stage ran')"], tmp_path, expected="up to date")


def test_a_command_does_not_outlive_a_measurement_that_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaders: list[int] = []

    def interrupted(leader: int) -> dict[int, float]:
        leaders.append(leader)
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "session", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cost([sys.executable, "-c", HOLD, str(tmp_path)], tmp_path)
    (leader,) = leaders
    with pytest.raises(ProcessLookupError):
        os.kill(leader, 0)


def test_the_sources_of_a_copy_come_before_what_is_on_the_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert sources_first(Path("copy")) == "copy/src"
    monkeypatch.setenv("PYTHONPATH", "packages")
    assert sources_first(Path("copy")) == f"copy/src{os.pathsep}packages"


def test_rows_are_of_stages_on_both_sides_and_the_sum_has_all() -> None:
    first, other = Cost(2.0, 3.0, 100.0), Cost(4.0, 3.0, 300.0)
    rows = compared(
        {"corpus": first, "new": first, NOTHING_TO_DO: first},
        {"corpus": other, "gone": other, NOTHING_TO_DO: other},
        peer_name="revision x",
    )
    measures = {
        (row["case"], row["unit"]): (row["ours"], row["peer"], row["ratio"]) for row in rows
    }
    assert measures["corpus", "s"] == (2.0, 4.0, 2.0)
    assert measures["corpus", "MB"] == (100.0, 300.0, 3.0)
    assert measures["all stages", "s"] == (4.0, 8.0, 2.0)
    assert measures["all stages", "MB"] == (100.0, 300.0, 3.0)
    assert measures[NOTHING_TO_DO, "s"] == (2.0, 4.0, 2.0)
    assert {case for case, _ in measures} == {"corpus", NOTHING_TO_DO, "all stages"}
