"""What goes wrong with one recording, as an AudioError that names it, whatever the cause."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leitmotif.errors import AudioError, FullDiskError, LeitmotifError, WorkerError
from leitmotif.files import is_full_disk

_MORE_MEMORY = "cut the recording into parts, or use a machine with more memory"
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")
"""What torch says, in errors of no class of their own."""


@contextmanager
def named_failure(path: Path | str) -> Iterator[None]:
    """Turn whatever goes wrong with one file into an AudioError that names it.

    An AudioError passes. Otherwise its reason is ``memory``, ``unreadable`` (the system's errors)
    or ``failed``. A full disk passes too.
    """
    try:
        yield
    except (AudioError, FullDiskError):
        raise
    except OSError as error:
        if is_full_disk(error):
            raise
        raise AudioError(
            f"{path} cannot be read", reason="unreadable", found=error, fix="check the file"
        ) from error
    except Exception as error:
        if _is_out_of_memory(error):
            raise AudioError(
                f"{path} does not fit into memory",
                reason="memory",
                found=str(error) or "out of memory",
                fix=_MORE_MEMORY,
            ) from error
        raise AudioError(f"{path} cannot be used", reason="failed", **_described(error)) from error


def worker_lost(path: Path | str, error: WorkerError) -> AudioError:
    """Make the failure of a recording with which a process was ended: its reason is ``killed``."""
    return AudioError(
        f"{path} ended the process that worked on it",
        reason="killed",
        found=error.found,
        expected="that the process ends by itself",
        fix=f"the system may have run out of memory: {_MORE_MEMORY}",
    )


def _is_out_of_memory(error: Exception) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in _OUT_OF_MEMORY)


def _described(error: Exception) -> dict[str, object]:
    """What an error of any kind says, for one of this package."""
    if not isinstance(error, LeitmotifError):
        return {"found": f"{type(error).__name__}: {error}", "fix": "replace or remove the file"}
    found = error.what if error.found is None else f"{error.what}: {error.found}"
    return {"found": found, "expected": error.expected, "fix": error.fix}
