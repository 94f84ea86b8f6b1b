"""Errors that say what was found, what was expected and what to do."""

import os
import pickle
from typing import Any


class LeitmotifError(Exception):
    """An error for the person at the keyboard; the command line prints it without a traceback.

    ``found``, ``expected`` and ``fix`` are kept as attributes, so that a caller can tell errors
    apart without parsing the message.
    """

    def __init__(
        self,
        what: str,
        *,
        found: object = None,
        expected: object = None,
        fix: str | None = None,
    ) -> None:
        self.what, self.found, self.expected, self.fix = what, found, expected, fix
        parts = [what]
        if found is not None:
            parts.append(f"  found:    {found}")
        if expected is not None:
            parts.append(f"  expected: {expected}")
        if fix is not None:
            parts.append(f"  to do:    {fix}")
        super().__init__("\n".join(parts))

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it travel from another process with its attributes, as text where they cannot."""
        state = {name: _picklable(value) for name, value in self.__dict__.items()}
        return _rebuilt, (type(self), self.args), state


def counted(number: int, noun: str) -> str:
    """A number, with commas, and its noun, which takes an s unless there is one.

    >>> counted(1, "track"), counted(0, "track"), counted(1200, "more value")
    ('1 track', '0 tracks', '1,200 more values')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _rebuilt(kind: type[LeitmotifError], args: tuple[Any, ...]) -> LeitmotifError:
    error = kind.__new__(kind)
    error.args = args
    return error


def _picklable(value: object) -> object:
    try:
        pickle.loads(pickle.dumps(value))
    except Exception:  # noqa: BLE001  # objects of any kind are found, and fail in any way
        return str(value)
    return value


class ConfigError(LeitmotifError):
    """params.yaml or a preset is not what the stages need."""


class AudioError(LeitmotifError):
    """A recording cannot be used; ``reason`` is one machine-readable word, such as ``silent``."""

    def __init__(self, what: str, *, reason: str, **details: object) -> None:
        super().__init__(what, **details)  # type: ignore[arg-type]
        self.reason = reason


class CorpusError(LeitmotifError):
    """A download, checksum, archive or metadata file is not what its source promised."""


class ModelError(LeitmotifError):
    """A checkpoint, site, code tensor or intervention does not fit the model."""


class StoreError(LeitmotifError):
    """A stored file is missing, damaged, belongs to other inputs, or finds no room."""


class FullDiskError(StoreError):
    """A file was not written because the disk is full."""


class ReviewError(LeitmotifError):
    """A decision, its log, or an item of the review queue is not what it should be."""


class ProbeError(LeitmotifError, ValueError):
    """Data on which a probe would have no meaning: too few tracks, one class, NaN, constants.

    Also a ValueError, which is what scikit-learn's tools expect of an estimator.
    """


class StageError(LeitmotifError):
    """A pipeline stage stops: too many failures, or an input from an earlier stage is missing."""


class WorkerError(LeitmotifError):
    """A process that took part in the work was ended from outside, by the system perhaps."""


class TargetError(LeitmotifError):
    """What a command would write has no place: it is taken, an input, or not writable."""


def unusable(error: OSError) -> LeitmotifError | None:
    """What the system says of a path, such as a name that is too long; None if it names none."""
    if not isinstance(error.filename, str | bytes):
        return None
    shown = os.fsencode(error.filename).decode("utf-8", "backslashreplace")
    return LeitmotifError(
        f"{shown} cannot be used",
        found=error.strerror,
        fix="mend what is there, or name another place",
    )
