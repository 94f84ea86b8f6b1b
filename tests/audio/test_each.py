"""One recording of several goes wrong, in any way."""

import errno
import os
import signal
from pathlib import Path

import pytest

from leitmotif.audio.each import each_recording
from leitmotif.errors import AudioError, FullDiskError, ModelError
from leitmotif.work.parallel import WORKERS

ERRORS = {
    "memory": MemoryError(),
    "torch": RuntimeError(
        "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"
    ),
    "gpu": RuntimeError("CUDA out of memory. Tried to allocate 20 MiB"),
    "gone": FileNotFoundError(errno.ENOENT, "No such file or directory"),
    "library": ZeroDivisionError("of a library"),
    "model": ModelError("the model cannot", found="NaN", expected="numbers", fix="float32"),
    "audio": AudioError("no sound", reason="silent"),
    "full": OSError(errno.ENOSPC, "No space left on device"),
    "full_named": FullDiskError("the disk is full"),
}


def read(path: Path) -> str:
    if path.stem == "killing":
        os.kill(os.getpid(), signal.SIGKILL)
    if path.stem in ERRORS:
        raise ERRORS[path.stem]
    return path.name


@pytest.mark.parametrize(
    ("stem", "reason", "found"),
    [
        ("memory", "memory", "out of memory"),
        ("torch", "memory", "alloc_cpu"),
        ("gpu", "memory", "20 MiB"),
        ("gone", "unreadable", "No such file"),
        ("library", "failed", "ZeroDivisionError: of a library"),
        ("model", "failed", "the model cannot: NaN"),
        ("audio", "silent", "None"),
    ],
)
@pytest.mark.fault(
    "any loop over recordings",
    "no memory, or any exception",
    outcome="that recording's failure, with its reason; the others are done",
)
def test_an_error_is_one_recordings_failure(stem: str, reason: str, found: str) -> None:
    paths = [Path(f"{name}.wav") for name in ("first", stem, "last")]
    first, error, last = each_recording(read, paths, path=Path, size=2)
    assert (first, last) == ("first.wav", "last.wav")
    assert isinstance(error, AudioError)
    assert error.reason == reason
    assert found in str(error.found)


@pytest.mark.fault(
    "any loop over recordings",
    "the process that works on one is killed",
    outcome="that recording's failure, with its reason; the others are done",
)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_killed_process_is_one_recordings_failure(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORKERS, "2")
    paths = [Path(f"{name}.wav") for name in ("a", "killing", "b", "library", "c")]
    found = list(each_recording(read, paths, path=Path, size=size))
    assert [found[0], found[2], found[4]] == ["a.wav", "b.wav", "c.wav"]
    killed, failed = found[1], found[3]
    assert isinstance(killed, AudioError)
    assert isinstance(failed, AudioError)
    assert (killed.reason, failed.reason) == ("killed", "failed")
    assert "killing.wav" in str(killed)
    assert "SIGKILL" in str(killed.found)


@pytest.mark.parametrize("stem", ["full", "full_named"])
@pytest.mark.fault(
    "any loop over recordings", "full disk", outcome="everything stops; no recording is blamed"
)
def test_a_full_disk_is_no_recordings_failure(stem: str) -> None:
    with pytest.raises((FullDiskError, OSError)) as caught:
        list(each_recording(read, [Path(f"{stem}.wav")], path=Path))
    assert not isinstance(caught.value, AudioError)
