"""One DVC run at a time writes in a checkout, and no stage outlives the run that started it.

DVC locks what a stage reads and writes, but only under its own process id, and only the paths of
that one stage. If ``dvc repro`` is killed, its locks are void while the stage goes on writing; and
a second run may make inputs anew that later stages of the first one are going to read.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from leitmotif.errors import LeitmotifError, StageError
from leitmotif.files import read_text
from leitmotif.files.owned import stage_outs
from leitmotif.files.yaml_files import read_stages

_PIPELINE = Path("dvc.yaml")
_TEMPORARY = Path(".dvc/tmp")
_STARTED_BY_DVC = "DVC_STAGE"
_SECONDS_BETWEEN_LOOKS = 0.1
_EDIT = threading.Lock()
"""Held while this process writes DVC's lock; ending then would leave the file empty."""
_LONGEST_EDIT = 5.0  # seconds


@contextmanager
def only_run(stage: str, root: Path = Path()) -> Iterator[None]:
    """Keep other DVC runs out of a checkout while ``stage`` works; end with the own DVC run.

    The outputs of all stages are entered in DVC's own lock as being read by the DVC run that
    started this process. So DVC refuses a second run before that removes anything, and names the
    first. DVC drops entries of runs that do not exist any more. A stage that is run by hand enters
    itself. Without ``.dvc`` in ``root`` nothing is locked.

    Parameters
    ----------
    stage
        Name in dvc.yaml.
    root
        The checkout.

    Raises StageError if another run holds a path of the pipeline.
    """
    root = root.absolute()
    if not (root / ".dvc").is_dir() or not (root / _PIPELINE).exists():
        yield
        return
    stages = read_stages(root / _PIPELINE)
    outs = {name: [str(root / path) for path in stage_outs(stages[name])] for name in stages}
    own = outs.pop(stage, [])
    others = [path for paths in outs.values() for path in paths]
    if _STARTED_BY_DVC in os.environ:
        run = _run_that_writes(own, root / _TEMPORARY / "rwlock")
        _end_with(run["pid"], stage)
        held = _held(root / _TEMPORARY, run, read=others, write=[])  # it has locked ``own`` itself
    else:
        by_hand = {"pid": os.getpid(), "cmd": f"stage {stage}, run by hand"}
        held = _held(root / _TEMPORARY, by_hand, read=others, write=own)
    with held:
        yield


@contextmanager
def _held(
    folder: Path, run: Mapping[str, Any], *, read: Sequence[str], write: Sequence[str]
) -> Iterator[None]:
    """Enter paths in DVC's lock for a run {pid, cmd}; what is entered for it already stays."""
    # DVC's own context manager enters the current process only.
    from dvc.config import Config
    from dvc.fs import localfs
    from dvc.lock import LockError
    from dvc.rwlock import (
        _acquire_read,
        _acquire_write,
        _check_blockers,
        _edit_rwlock,
        _release_read,
        _release_write,
    )

    folder.mkdir(exist_ok=True)
    where = str(folder)
    # Of the two kinds of guard, the one that DVC itself uses here: they do not see each other.
    hardlink = bool(Config(str(folder.parent))["core"].get("hardlink_lock"))
    try:
        with _EDIT, _edit_rwlock(where, localfs, hardlink) as lock:
            _check_blockers(where, lock, run, mode="write", waiters=[*read, *write])
            _check_blockers(where, lock, run, mode="read", waiters=write)
            reads, writes = _acquire_read(lock, run, read), _acquire_write(lock, run, write)
    except LockError as error:
        raise StageError(
            "another run works in this checkout, so this stage was not started",
            found=" ".join(str(error).split("\n\n")[0].split()),
            expected="one run at a time",
            fix="wait until the other one has ended, or stop it, then run `dvc repro` again",
        ) from error
    try:
        yield
    finally:
        with _EDIT, _edit_rwlock(where, localfs, hardlink) as lock:
            _release_write(lock, run, writes)
            _release_read(lock, run, reads)


def _run_that_writes(outs: Sequence[str], lock: Path) -> dict[str, Any]:
    """The run {pid, cmd} for which DVC has locked these outputs; the parent if it is not known."""
    try:
        writers = json.loads(read_text(lock))["write"]
        return next(dict(writers[out]) for out in outs if out in writers)
    except (LeitmotifError, ValueError, KeyError, TypeError, StopIteration):
        return {"pid": os.getppid(), "cmd": "dvc"}


def _end_with(run: int, stage: str) -> None:
    """Start a thread that ends this process and its children once process ``run`` has ended."""
    import psutil

    this = psutil.Process()

    def watch() -> None:
        try:
            dvc = psutil.Process(run)
            while dvc.is_running() and dvc.status() != psutil.STATUS_ZOMBIE:
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        except psutil.NoSuchProcess:
            pass
        for child in this.children(recursive=True):
            child.kill()
        print(f"{stage}: the DVC run that started it has ended, so it ends too", file=sys.stderr)
        _EDIT.acquire(timeout=_LONGEST_EDIT)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
