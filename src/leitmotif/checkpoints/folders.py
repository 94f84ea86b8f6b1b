"""Checkpoints as `transformers` keeps them: fetched from a folder or the hub, and read."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from leitmotif.errors import LeitmotifError, ModelError
from leitmotif.files import sha256_file

_PATTERNS = ("*.json", "*.safetensors", "*.model", "*.txt")
_OLD_WEIGHTS = "pytorch_model.bin"


def fetch_checkpoint(name: str, revision: str | None, *, old_weights: bool = False) -> Path:
    """The folder of a checkpoint, downloaded into the hub's cache where ``name`` is a hub id.

    Call it inside ``reading_checkpoint``, which explains what it raises.

    Parameters
    ----------
    name : folder or hub id.
    revision : commit of the hub repository, 40 hex digits; None for a folder. A hub id needs it.
    old_weights : whether a repository that has no safetensors gives its ``pytorch_model.bin``,
        which `transformers` reads with torch's weights-only unpickler: it builds tensors and runs
        nothing.
    """
    if revision is not None and not (
        isinstance(revision, str) and re.fullmatch("[0-9a-f]{40}", revision)
    ):
        raise ModelError(
            "this is no revision of a hub repository",
            found=f"{revision!r:.200}",
            expected="a commit of 40 hex digits, or None for a folder",
        )
    if Path(name).is_dir():
        return Path(name).resolve()
    if revision is None:
        raise ModelError(
            f"the model {str(name)!r:.200} cannot be loaded",
            found="no folder of this name, and no revision",
            expected="a folder, or a hub id with the 40-digit revision of its commit",
            fix="correct the folder's name, or pass the revision: the hub may change what an id "
            "stands for",
        )
    folder = _downloaded(name, revision, _PATTERNS)
    if old_weights and not any(folder.glob("*.safetensors")):
        _downloaded(name, revision, [_OLD_WEIGHTS])
    return folder


def _downloaded(name: str, revision: str, patterns: Sequence[str]) -> Path:
    """Files of a commit in the hub's cache, whose bytes are those that the commit names.

    Raises ModelError if the hub has lost the commit, and for a large file that was downloaded now
    and has another SHA-256 than the hub says; it is removed.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RevisionNotFoundError

    begun = time.time_ns()
    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(patterns)))
    except RevisionNotFoundError as error:
        raise ModelError(
            f"the hub does not have this revision of {name}",
            found=f"no commit {revision}; the repository was rewritten, or never had it",
            expected="the commit that results so far were made with",
            fix="ask the repository's owner for it, or name a commit that is there and make all "
            "results anew",
        ) from error
    for path in folder.iterdir():
        # In the cache a large file is named by its SHA-256. Old ones were held when they came.
        held = path.resolve()
        new = re.fullmatch("[0-9a-f]{64}", held.name) and held.stat().st_mtime_ns >= begun
        if new and (found := sha256_file(held)) != held.name:
            held.unlink()
            raise ModelError(
                f"what came of {path.name} of {name} is not the file of this revision",
                found=f"SHA-256 {found}",
                expected=f"{held.name}, as the hub says",
                fix="try again; if it stays so, the mirror or proxy changes what it passes on",
            )
    return folder


def files_of(name: str) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of change (ns) of a folder's files; empty for a hub id.

    What is kept in memory of a folder is kept under these, so that a change of it is noticed.
    """
    folder = Path(name)
    if not folder.is_dir():
        return ()
    stats = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
    return tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats)


@contextmanager
def reading_checkpoint(name: str, *, expected: str, fix: str) -> Iterator[None]:
    """Keep `transformers` quiet, and turn what it or the hub's client raises into ModelError.

    Parameters
    ----------
    name : folder or hub id of the checkpoint, which the error names.
    expected : what ``name`` should have been.
    fix : what to do.
    """
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except LeitmotifError:
        raise
    except Exception as error:
        # Of files that are not what it expects `transformers` raises all that its code runs into.
        lines = str(error).strip().splitlines()
        raise ModelError(
            f"the model {name} cannot be loaded",
            found=lines[0] if lines else type(error).__name__,
            expected=expected,
            fix=fix,
        ) from error
    finally:
        logging.set_verbosity(level)
        logging.enable_progress_bar()


def usable_device(name: str | torch.device) -> torch.device:
    """The device called ``name``; ``auto`` is a GPU if there is one.

    Raises ModelError, which says what is there, for a device that is not.
    """
    if isinstance(name, str) and name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    there = _devices()
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError, ValueError):
        found = f"{name!r:.200}"
    else:
        if device.type in there and (device.index or 0) < there[device.type]:
            return device
        found = f"device {str(device)!r}"
    raise ModelError(
        "no such device is usable",
        found=f"{found}, torch {torch.__version__}",
        expected=" or ".join(
            kind if count == 1 else f"{kind}:0 to {kind}:{count - 1}"
            for kind, count in there.items()
        ),
        fix="set the device to auto or cpu",
    )


def _devices() -> dict[str, int]:
    """Kinds of devices that this machine has and the models run on, and how many of each."""
    there = {"cpu": 1}
    if torch.cuda.is_available():
        there["cuda"] = torch.cuda.device_count()
    if torch.backends.mps.is_available():
        there["mps"] = 1
    return there
