"""What the benchmark of the pipeline counts: all processes of a stage, and shared pages once."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.pipeline import NOTHING_TO_DO, Cost, compared, cost, session

MEGABYTES = 96
HOLD = f"""
import os, sys, time
block = bytearray(b"x") * ({MEGABYTES} << 20)
if len(sys.argv) > 1:
    for _ in range(2):
        if os.fork() == 0:
            block = bytearray(block) if sys.argv[1] == "copies" else block
            time.sleep(1.0)
            os._exit(0)
    # The parent stays: of processes that end together, shared pages can count more than once.
    if sys.argv[1] != "orphans":
        os.wait(), os.wait()
time.sleep(1.0)
"""


def held(folder: Path, *arguments: str) -> Cost:
    return cost([sys.executable, "-c", HOLD, *arguments], folder)


def test_memory_is_that_of_all_processes_and_shared_pages_count_once(tmp_path: Path) -> None:
    alone = held(tmp_path).megabytes
    assert MEGABYTES < alone < 2 * MEGABYTES
    assert held(tmp_path, "shared").megabytes == pytest.approx(alone, abs=0.5 * MEGABYTES)
    assert held(tmp_path, "copies").megabytes > alone + 1.5 * MEGABYTES


def test_processes_that_nobody_waits_for_are_of_the_session() -> None:
    leader = subprocess.Popen([sys.executable, "-c", HOLD, "orphans"], start_new_session=True)
    most = 0
    while leader.poll() is None:
        most = max(most, len(session(leader.pid)))
        time.sleep(0.01)
    assert most == 3


def test_a_command_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"status 3\n.*what was said"):
        cost([sys.executable, "-c", "print('what was said'); raise SystemExit(3)"], tmp_path)
    with pytest.raises(RuntimeError, match="status 0"):
        cost([sys.executable, "-c", "print('stage ran')"], tmp_path, expected="up to date")


def test_rows_are_of_stages_on_both_sides_and_the_sum_has_all() -> None:
    one, other = Cost(2.0, 3.0, 100.0), Cost(4.0, 3.0, 300.0)
    rows = compared(
        {"corpus": one, "new": one, NOTHING_TO_DO: one},
        {"corpus": other, "gone": other, NOTHING_TO_DO: other},
        peer_name="revision x",
    )
    found = {(row["case"], row["unit"]): (row["ours"], row["peer"], row["ratio"]) for row in rows}
    assert found["corpus", "s"] == (2.0, 4.0, 2.0)
    assert found["corpus", "MB"] == (100.0, 300.0, 3.0)
    assert found["all stages", "s"] == (4.0, 8.0, 2.0)
    assert found["all stages", "MB"] == (100.0, 300.0, 3.0)
    assert found[NOTHING_TO_DO, "s"] == (2.0, 4.0, 2.0)
    assert {case for case, _ in found} == {"corpus", NOTHING_TO_DO, "all stages"}
