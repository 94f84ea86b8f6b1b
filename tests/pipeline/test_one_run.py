"""One run in a checkout: with real runs of DVC that are killed, or that meet each other."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.waiting import wait_until

STAGE = """
import sys, time
from pathlib import Path
from leitmotif.files.yaml_files import read_yaml
from leitmotif.pipeline.one_run import only_run
from leitmotif.pipeline.steady import steady_inputs
from leitmotif.work.parallel import in_processes

name, seconds = sys.argv[1], float(sys.argv[2])

def write(number):
    Path(f"data/{name}").mkdir(parents=True, exist_ok=True)
    time.sleep(seconds)
    Path(f"data/{name}/{number}").write_text(setting)

with only_run(name), steady_inputs(name):
    setting = str(read_yaml(Path("params.yaml"))["setting"])
    Path(f"{name}.begun").touch()
    for number in range(4):
        write(number)
    Path(f"{name}.json").write_text(f'{{"setting": {setting}}}')
"""
PIPELINE = """
stages:
  first:
    cmd: {python} stage.py first {first}
    deps: [stage.py]
    params: [setting]
    outs: [data/first]
    metrics: [first.json: {{cache: false}}]
  second:
    cmd: {python} stage.py second {second}
    deps: [stage.py]
    params: [setting]
    outs: [data/second]
    metrics: [second.json: {{cache: false}}]
"""
# The second stage does not read what the first makes, so DVC alone would let two runs mix.


def made(folder: Path, first: float, second: float) -> Path:
    """A repository of two stages, each of which takes four times these seconds and some."""
    (folder / "stage.py").write_text(STAGE)
    pipeline = PIPELINE.format(python=sys.executable, first=first, second=second)
    (folder / "dvc.yaml").write_text(pipeline)
    (folder / "params.yaml").write_text("setting: 0\n")
    subprocess.run([*DVC, "init", "--no-scm", "--quiet"], cwd=folder, check=True)
    return folder


DVC = [sys.executable, "-m", "dvc"]


def repro(folder: Path, *, setting: int | None = None) -> "subprocess.Popen[str]":
    if setting is not None:
        (folder / "params.yaml").write_text(f"setting: {setting}\n")
    return subprocess.Popen(
        [*DVC, "repro", "--no-commit"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def outputs(folder: Path) -> set[str]:
    files = [*folder.glob("data/*/*"), *folder.glob("*.json")]
    return {f"{path.relative_to(folder)}: {path.read_text()}" for path in files}


def unbroken(setting: int) -> set[str]:
    files = {
        f"data/{name}/{number}: {setting}" for name in ("first", "second") for number in range(4)
    }
    return files | {f'{name}.json: {{"setting": {setting}}}' for name in ("first", "second")}


def stage_of(run: "subprocess.Popen[str]") -> psutil.Process:
    """The process of the stage that a run has started."""
    return psutil.Process(run.pid).children(recursive=True)[-1]


@pytest.mark.fault(
    "one checkout", "`kill -9` of dvc while a stage runs", outcome="the stage ends itself"
)
def test_a_stage_ends_with_the_dvc_that_started_it(tmp_path: Path) -> None:
    root = made(tmp_path, 60, 60)
    run = repro(root)
    wait_until((root / "first.begun").exists)
    stage = stage_of(run)
    run.kill()
    run.wait()
    wait_until(lambda: not stage.is_running() or stage.status() == psutil.STATUS_ZOMBIE)
    assert outputs(root) == set()


@pytest.mark.fault(
    "one checkout",
    "a second `dvc repro` with other settings",
    outcome="it is refused, and names the first",
)
def test_a_second_run_is_refused_before_it_removes_anything(tmp_path: Path) -> None:
    root = made(tmp_path, 0, 2)
    first = repro(root, setting=1)
    wait_until((root / "second.begun").exists)
    before = {line for line in outputs(root) if "first" in line}
    assert len(before) == 5
    (root / "params.yaml").write_text("setting: 2\n")
    second = repro(root)
    said, _ = second.communicate()
    assert second.returncode != 0
    assert f"busy, it is being blocked by:\n  (PID {first.pid}): " in said
    assert said.count("(PID") < 5
    assert {line for line in outputs(root) if "first" in line} == before
    # The first one's settings were changed under it.
    said, _ = first.communicate()
    assert "params.yaml: setting" in said
    assert first.returncode != 0
    # What it made is not taken for a result of the new settings.
    assert repro(root).wait() == 0
    assert outputs(root) == unbroken(2)


@pytest.mark.fault(
    "one checkout",
    "a stage run by hand beside `dvc repro`",
    outcome="it is refused, and names the run",
)
def test_a_stage_by_hand_is_refused_too(tmp_path: Path) -> None:
    root = made(tmp_path, 60, 60)
    run = repro(root)
    wait_until((root / "first.begun").exists)
    by_hand = subprocess.run(
        [sys.executable, "stage.py", "first", "0"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert by_hand.returncode != 0
    assert "another run works in this checkout" in by_hand.stderr
    assert str(run.pid) in by_hand.stderr
    run.terminate()
    run.wait()


OF_DVC = {
    ".dvc/tmp/rwlock": "Unable to read RWLock-file",
    "dvc.lock": "'./dvc.lock' validation failed",
}
"""Files that DVC does not write atomically, and what the next run says if the kill cut one off."""


@pytest.mark.fault(
    "one checkout",
    "dvc killed at 20 random moments, each time run again with another setting",
    outcome="the end state is that of an unbroken run",
)
def test_killed_at_any_moment_the_next_run_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    root, moments = made(tmp_path, 0.05, 0.05), random.Random(0)
    for setting in range(1, 21):
        killed = repro(root, setting=-setting)
        time.sleep(moments.uniform(0.3, 3.5))
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        run = repro(root, setting=setting)
        said, _ = run.communicate()
        for half_written, words in OF_DVC.items():
            if words in said:  # DVC names the file
                (root / half_written).unlink()
                run = repro(root, setting=setting)
                said, _ = run.communicate()
        assert run.returncode == 0, said
        assert outputs(root) == unbroken(setting), f"at setting {setting}"
    time.sleep(1)  # an orphan would still be writing
    assert outputs(root) == unbroken(20)


SLOW_EDIT = """
import json, time
from pathlib import Path

import dvc.rwlock

from leitmotif.pipeline.one_run import only_run

def dump(lock, file):
    text = json.dumps(lock)
    file.write(text[:9])
    file.flush()
    Path("editing").touch()
    time.sleep(1)
    file.write(text[9:])

dvc.rwlock.json = type("Slow", (), {**vars(json), "dump": staticmethod(dump)})
with only_run("first"):
    time.sleep(60)
"""


@pytest.mark.fault(
    "one checkout",
    "`kill -9` of dvc while its stage writes DVC's lock",
    outcome="the lock is written before the stage ends itself",
)
def test_a_lock_that_is_being_written_is_written(tmp_path: Path) -> None:
    root = made(tmp_path, 0, 0)
    lock = root / ".dvc/tmp/rwlock"
    lock.parent.mkdir(exist_ok=True)
    dvc = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    lock.write_text(json.dumps({"write": {str(root / "data/first"): {"pid": dvc.pid, "cmd": "x"}}}))
    environment = {**os.environ, "DVC_STAGE": "first"}
    stage = subprocess.Popen([sys.executable, "-c", SLOW_EDIT], cwd=root, env=environment)
    wait_until((root / "editing").exists)
    dvc.kill()
    dvc.wait()
    assert stage.wait(timeout=60) == 1
    assert json.loads(lock.read_text())["read"]


@pytest.mark.fault(
    "one checkout",
    "`core.hardlink_lock` is set, and another process edits DVC's lock",
    outcome="the stage respects that kind of guard and is refused",
)
def test_the_guard_is_of_the_kind_that_dvc_is_set_to(tmp_path: Path) -> None:
    from dvc.lock import make_lock

    from leitmotif.errors import StageError
    from leitmotif.pipeline.one_run import only_run

    root = made(tmp_path, 0, 0)
    config = root / ".dvc" / "config"
    config.write_text(config.read_text() + "    hardlink_lock = true\n")
    temporary = root / ".dvc" / "tmp"
    temporary.mkdir(exist_ok=True)
    guard = make_lock(str(temporary / "rwlock.lock"), tmp_dir=str(temporary), hardlink_lock=True)
    with guard, pytest.raises(StageError, match="another run works"), only_run("first", root):
        pass
