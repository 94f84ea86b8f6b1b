"""Work in several processes: the same results, errors and end as in one."""

import os
import pickle
import platform
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from leitmotif.errors import AudioError, ConfigError, LeitmotifError, WorkerError
from leitmotif.work.parallel import WORKERS, in_parts, in_processes, number_of_workers
from tests.waiting import wait_until


class Torn:
    """What cannot travel between processes."""

    def __reduce__(self) -> str:
        raise TypeError("torn")

    def __str__(self) -> str:
        return "what cannot travel"


def late(number: int) -> tuple[int, int]:
    time.sleep(0.2 if number == 0 else 0.0)
    return number, os.getpid()


def held_back(gate: Path, number: int) -> int:
    """The first item is there at once, the others once ``gate`` is."""
    if number:
        wait_until(gate.exists)
    return number


def threads(number: int) -> int:
    np.linalg.inv(np.eye(number + 200))
    return max(library["num_threads"] for library in threadpool_info())


def new_pages(number: int) -> int:
    """Memory pages that ten arrays of 20 MB take, one after the other, once there was one."""
    arrays = [np.ones(2_500_000) for _ in range(2)]
    del arrays
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.ones(2_500_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def refuses(number: int) -> int:
    if number == 1:
        raise AudioError("no sound", reason="silent", found=Torn(), expected=[1, 2], fix="listen")
    return number


def ends(deadly: tuple[int, ...], part: Sequence[int]) -> list[int]:
    """Doubles of a part's numbers; some numbers are the end of the process."""
    for number in part:
        if number in deadly:
            os.kill(os.getpid(), signal.SIGKILL)
    return [2 * number for number in part]


def ends_and_says_so(said: Path, number: int) -> None:
    if number == 0:
        said.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def lost(number: int, error: WorkerError) -> list[int]:
    assert "SIGKILL" in str(error.found)
    return [-number]


def nested(number: int) -> list[int]:
    return [pid for _, pid in in_processes(late, range(number))]


def where(part: Sequence[int]) -> list[int]:
    return [os.getpid() for _ in part]


def summed(array: np.ndarray, number: int) -> float:
    return float(array.sum() + number)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    results = list(in_processes(late, range(5), workers=workers))
    assert [number for number, _ in results] == [0, 1, 2, 3, 4]
    assert (os.getpid() in {pid for _, pid in results}) == (workers == 1)


def test_processes_are_kept_for_the_next_call() -> None:
    first, second = ({pid for _, pid in in_processes(late, range(6), workers=2)} for _ in "ab")
    assert len(first | second) <= 2


THREADS = """
from leitmotif.work.parallel import in_processes
from tests.work.test_parallel import threads

if __name__ == "__main__":
    print(threads(0), *in_processes(threads, range(4), workers=int(sys.argv[1])))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_each_item_has_one_native_thread(workers: int, repo_root: Path) -> None:
    """In a program that has more: the tests' own processes are kept to one."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, "2"), "PYTHONPATH": str(repo_root)}
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{THREADS}", str(workers)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.stdout.split() == ["2", "1", "1", "1", "1"], done.stderr


def test_the_threads_of_this_process_are_left_alone_between_results() -> None:
    with threadpool_limits(limits=2):
        for inside in in_processes(threads, range(2), workers=1):
            assert (inside, threads(0)) == (1, 2)


@pytest.mark.parametrize("workers", [1, 2])
def test_large_arguments_arrive_whole(workers: int) -> None:
    array = np.arange(500_000.0)
    sums = list(in_processes(partial(summed, array), range(3), workers=workers))
    assert sums == [array.sum() + number for number in range(3)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_expected_error_keeps_its_attributes(
    workers: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AudioError, match="no sound") as caught:
        list(in_processes(refuses, range(3), workers=workers))
    error = caught.value
    assert (error.reason, error.what, error.fix) == ("silent", "no sound", "listen")
    assert (str(error.found), error.expected) == ("what cannot travel", [1, 2])
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.fault("worker process", "an error in it", outcome="raised with its message")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("bad", [0, 1, 6])
def test_an_error_in_the_making_of_an_item_is_raised_here(workers: int, bad: int) -> None:
    def items() -> Iterator[int]:
        for number in range(8):
            if number == bad:
                raise ConfigError("no such item", found=number)
            yield number

    with pytest.raises(ConfigError, match="no such item"):
        list(in_processes(late, items(), workers=workers))


@pytest.mark.fault(
    "worker process",
    "killed by the system over some items, one after the other",
    outcome="these items have no result, and all others have theirs, in their order",
)
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("deadly", [(0,), (2, 3), (0, 1, 2, 3, 4)])
def test_a_killed_process_costs_one_item(size: int, deadly: tuple[int, ...]) -> None:
    parts = in_parts(partial(ends, deadly), range(5), size=size, lost=lost, workers=2)
    expected = [-number if number in deadly else 2 * number for number in range(5)]
    assert [item for part in parts for item in part] == expected


def test_parts_are_worked_on_here_where_one_process_is_asked_for() -> None:
    for items, workers in ((range(4), 1), (range(1), 2)):
        parts = in_parts(where, items, size=3, lost=lost, workers=workers)
        assert {pid for part in parts for pid in part} == {os.getpid()}
    parts = in_parts(where, range(2), size=1, lost=lost, workers=2)
    assert os.getpid() not in {pid for part in parts for pid in part}


@pytest.mark.fault("worker process", "killed by the system", outcome="WorkerError that says so")
def test_the_end_of_a_process_is_named() -> None:
    with pytest.raises(WorkerError, match=r"(?s)ended.*SIGKILL.*LEITMOTIF_WORKERS"):
        list(in_processes(partial(ends, (1,)), [[0], [1], [2]], workers=2))
    assert list(in_processes(late, range(2), workers=2))


@pytest.mark.fault(
    "worker process", "killed before all others have work", outcome="WorkerError that says so"
)
def test_the_end_of_a_process_is_named_while_items_are_given_out(tmp_path: Path) -> None:
    def items() -> Iterator[int]:
        yield from (0, 1)
        wait_until((tmp_path / "ends").exists)
        time.sleep(2)  # the time in which it is noticed
        yield 2

    with pytest.raises(WorkerError, match="SIGKILL"):
        list(in_processes(partial(ends_and_says_so, tmp_path / "ends"), items(), workers=2))


@pytest.mark.parametrize("workers", [1, 2])
def test_items_are_taken_as_they_are_needed(workers: int, tmp_path: Path) -> None:
    taken: list[int] = []
    gate = tmp_path / "gate"

    def items() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    results = in_processes(partial(held_back, gate), items(), workers=workers)
    assert next(results) == 0
    assert len(taken) <= 2 * workers + 1
    gate.touch()
    assert list(results) == list(range(1, 20))


def test_every_kind_of_error_travels() -> None:
    def kinds(kind: type[LeitmotifError]) -> Iterator[type[LeitmotifError]]:
        yield kind
        for below in kind.__subclasses__():
            yield from kinds(below)

    for kind in kinds(LeitmotifError):
        more = {"reason": "silent"} if kind is AudioError else {}
        error = kind("what", found=1, expected=2, fix="so", **more)
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is kind
        assert (str(again), again.__dict__) == (str(error), error.__dict__)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs the GNU C library")
def test_a_process_keeps_its_memory_for_the_next_array() -> None:
    """Given back and asked for again, each array would take 4,883 pages."""
    assert max(in_processes(new_pages, range(4), workers=2)) < 1000


def test_within_a_process_no_more_are_started() -> None:
    for pids in in_processes(nested, [3, 3], workers=2):
        assert len(set(pids)) == 1


def test_the_number_of_processes_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKERS, "3")
    assert number_of_workers() == 3
    monkeypatch.delenv(WORKERS)
    assert 1 <= number_of_workers() <= (os.cpu_count() or 1)
    for text in ("", "0", "two", "-1"):
        monkeypatch.setenv(WORKERS, text)
        with pytest.raises(ConfigError, match=WORKERS):
            number_of_workers()


SLEEPERS = """
import os, signal, sys, time
from pathlib import Path
from leitmotif.work.parallel import in_processes

# Whoever started the tests may ignore it, as a shell does for what it runs in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)

def sleep(folder):
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(600)

if __name__ == "__main__":
    list(in_processes(sleep, [sys.argv[1]] * 2, workers=2))
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_processes_end_with_the_one_that_began_them(tmp_path: Path, sent: signal.Signals) -> None:
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS)
    seen = tmp_path / "seen"
    seen.mkdir()
    parent = subprocess.Popen([sys.executable, str(script), str(seen)], stderr=subprocess.PIPE)
    wait_until(lambda: len(list(seen.iterdir())) == 2)
    parent.send_signal(sent)
    parent.communicate(timeout=200)
    pids = [int(path.name) for path in seen.iterdir()]
    wait_until(lambda: not any(map(runs, pids)))


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False
