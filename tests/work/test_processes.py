"""The processes that work for another one: what they have, and that nothing of them stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from leitmotif.work.laid_down import make_folder
from leitmotif.work.parallel import in_processes
from leitmotif.work.processes import Workers
from tests.waiting import wait_until

UNGUARDED = """
import os, sys
from leitmotif.work.parallel import in_processes

print("begun", flush=True)

class Doubled:
    def __init__(self, number):
        self.number = 2 * number

def doubled(number):
    return Doubled(number)

print(*(result.number for result in in_processes(doubled, range(3), workers=2)))
"""


def ran(script: str, folder: Path, **variables: str) -> tuple[list[str], str]:
    """Words that a script printed, run in ``folder`` whose modules it finds, and its errors."""
    (folder / "script.py").write_text(script)
    paths = os.pathsep.join([str(folder), *sys.path])
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": paths, **variables},
    )
    return done.stdout.split(), done.stderr


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    assert ran(UNGUARDED, tmp_path) == (["begun", "0", "2", "4"], "")


def test_the_folder_for_temporary_files_may_have_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    assert ran(UNGUARDED, tmp_path, TMPDIR=str(folder)) == (["begun", "0", "2", "4"], "")


AHEAD = """
import os, sys
from leitmotif.work.parallel import in_processes
from leitmotif.work.processes import import_ahead

def has_it(number):
    return "imported_ahead" in sys.modules and sys.modules["imported_ahead"].PID

import_ahead(["imported_ahead", "no_such_module"])
pids = set(in_processes(has_it, range(4), workers=2))
print(len(pids), os.getpid() in pids, "imported_ahead" in sys.modules)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
def test_processes_have_what_was_imported_ahead_once_for_all(tmp_path: Path) -> None:
    (tmp_path / "imported_ahead.py").write_text("import os\nPID = os.getpid()\n")
    assert ran(AHEAD, tmp_path) == (["1", "False", "False"], "")


INTERRUPTED = """
import os, signal, sys, time
from leitmotif.work.parallel import in_processes
from leitmotif.work.processes import import_ahead

# Whoever started the tests may ignore it, as a shell does for what it runs in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)

def doubled(number):
    return 2 * number

import_ahead(["slowly_imported"])
try:
    os.killpg(0, signal.SIGINT)
    time.sleep(60)
except KeyboardInterrupt:
    print(*in_processes(doubled, range(2), workers=2))
"""


@pytest.mark.fault(
    "worker process", "Ctrl-C while it is made ready", outcome="it says nothing, and goes on"
)
def test_ctrl_c_does_not_break_what_imports_ahead(tmp_path: Path) -> None:
    (tmp_path / "slowly_imported.py").write_text("import time\ntime.sleep(1)\n")
    assert ran(INTERRUPTED, tmp_path) == (["0", "2"], "")


def environment(name: str) -> str | None:
    return os.environ.get(name)


def test_processes_have_the_environment_of_their_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEITMOTIF_OF_A_TEST", "set")
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    before = dict(os.environ)
    workers = Workers(1)
    try:
        asked = [
            workers.executor.submit(environment, name).result(timeout=300)
            for name in ("LEITMOTIF_OF_A_TEST", "OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")
        ]
    finally:
        workers.end()
    assert asked == ["set", "1", f"{2**32}"]
    assert dict(os.environ) == before


def test_the_folder_goes_with_the_processes() -> None:
    workers = Workers(1)
    assert workers.folder.is_dir()
    workers.executor.submit(os.getpid).result(timeout=300)
    workers.end()
    assert not workers.folder.exists()
    assert workers.exit_codes == [0]


KILLED = """
import os, sys, time
from leitmotif.work.processes import Workers

workers = Workers(1)
workers.executor.submit(os.getpid).result()
print(workers.folder, flush=True)
time.sleep(600)
"""


@pytest.mark.fault(
    "worker process", "the program that began it is killed", outcome="nothing of it stays"
)
def test_nothing_stays_of_a_program_that_is_killed() -> None:
    program = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    folder = Path(program.stdout.readline().strip())
    assert folder.is_dir()
    program.kill()
    program.wait()
    wait_until(lambda: not folder.exists())


def test_a_new_folder_is_empty_and_private() -> None:
    folder = make_folder()
    try:
        assert not list(folder.iterdir())
        assert folder.stat().st_mode & 0o077 == 0
    finally:
        folder.rmdir()


def double(number: int) -> int:
    return 2 * number


def test_two_calls_at_once_may_have_other_numbers_of_processes() -> None:
    first = in_processes(double, range(6), workers=2)
    assert next(first) == 0
    assert list(in_processes(double, range(4), workers=3)) == [0, 2, 4, 6]
    assert list(first) == [2, 4, 6, 8, 10]
