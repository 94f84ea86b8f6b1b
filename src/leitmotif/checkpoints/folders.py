"""Checkpoints as `transformers` keeps them: fetched from a folder or the hub, and read."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from leitmotif.errors import FullDiskError, LeitmotifError, ModelError
from leitmotif.files import is_full_disk, sha256_file

_PATTERNS = ("*.json", "*.safetensors", "*.model", "*.txt")
_OLD_WEIGHTS = "pytorch_model.bin"
_SHA256 = re.compile("[0-9a-f]{64}")


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
    patterns = [*_PATTERNS]
    folder = _downloaded(name, revision, patterns)
    if old_weights and not any(folder.glob("*.safetensors")):
        patterns.append(_OLD_WEIGHTS)
        _downloaded(name, revision, patterns)
    _check_cached(name, [file for pattern in patterns for file in folder.glob(pattern)])
    return folder


def _downloaded(name: str, revision: str, patterns: Sequence[str]) -> Path:
    """Files of a commit in the hub's cache; raises ModelError if the hub has lost the commit."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=[*patterns]))
    except RevisionNotFoundError as error:
        raise ModelError(
            f"the hub does not have this revision of {name}",
            found=f"no commit {revision}; the repository was rewritten, or never had it",
            expected="the commit that results so far were made with",
            fix="ask the repository's owner for it, or name a commit that is there and make all "
            "results anew",
        ) from error


def _check_cached(name: str, files: Iterable[Path]) -> None:
    """Raise ModelError for a large file in the hub's cache that was changed or cut there.

    The hub's client does not look again: the cache calls a large file by its SHA-256.
    """
    for file in files:
        kept = file.resolve()
        if not (kept.is_file() and _SHA256.fullmatch(kept.name)):
            continue
        if (actual := sha256_file(kept)) != kept.name:
            raise ModelError(
                f"{file.name} of {name} is damaged in the hub's cache",
                found=f"{kept.stat().st_size:,} bytes with SHA-256 {actual}",
                expected=f"SHA-256 {kept.name}, as the hub says",
                fix=f"delete {kept} and run it again: it is downloaded anew",
            )


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

    Of a full disk it makes a FullDiskError, since no model is to blame for that.

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
        found = lines[0] if lines else type(error).__name__
        if isinstance(error, OSError) and is_full_disk(error):
            raise FullDiskError(
                f"the disk is full: the model {name} was not downloaded",
                found=found,
                fix="free some space, or set HF_HOME to a folder with more; then run it again",
            ) from error
        if isinstance(error, OSError) and error.filename and not Path(name).is_dir():
            expected = "a cache of the hub that can be read and written"
            fix = "mend what is named, or set HF_HOME to another folder"
        raise ModelError(
            f"the model {name} cannot be loaded", found=found, expected=expected, fix=fix
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
