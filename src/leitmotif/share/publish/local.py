"""Files as they lie here, with the hashes of DVC and of the hub."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from leitmotif.errors import StoreError
from leitmotif.share.outs import folder_hash

_BLOCK = 1 << 20
_TEXT = (".jsonl", ".json", ".csv", ".md", ".txt")


@dataclass(frozen=True)
class LocalFile:
    """A file that was read once."""

    path: str
    """Path from the repository's root, with forward slashes."""
    place: Path
    """Where it lies."""
    size: int
    """Bytes."""
    md5: str
    """DVC's name of the content."""
    sha256: str
    stamp: tuple[int, int, int, int]
    """Inode, size, and times of change, which tell whether it is still the file that was read."""
    text: bytes | None
    """The content of a table or another text; None for tensors, sound and weights."""


def read_local(root: Path, path: str) -> list[LocalFile]:
    """Read a file, or all files in a folder, by their paths from ``root``, sorted.

    What a killed run left half written (``.NAME.partial``) is no part of a folder, as in
    .dvcignore. Raises StoreError for a path at which there is nothing, and OSError.
    """
    place = root / path
    if place.is_file():
        return [_read(root, place)]
    if not place.is_dir():
        raise StoreError(
            f"{path} is not here", fix="run `dvc pull`, or `dvc repro` to make it again"
        )
    files = sorted(place.rglob("*"), key=lambda file: file.relative_to(root).as_posix())
    return [_read(root, file) for file in files if file.is_file() and not _is_partial(file)]


def is_unchanged(file: LocalFile) -> bool:
    """Whether a file is still the one that was read, by its stamp."""
    try:
        return stamp(file.place) == file.stamp
    except OSError:
        return False


def stamp(path: Path) -> tuple[int, int, int, int]:
    """What changes of a file if it is written to or replaced."""
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def dvc_hash(path: str, files: Iterable[LocalFile]) -> str:
    """The hash that dvc.lock has of an output which consists of these files."""
    files = list(files)
    if len(files) == 1 and files[0].path == path:
        return files[0].md5
    return folder_hash({file.path.removeprefix(f"{path}/"): file.md5 for file in files})


def _read(root: Path, path: Path) -> LocalFile:
    before = stamp(path)
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    kept: list[bytes] = []
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            md5.update(block)
            sha256.update(block)
            if path.suffix in _TEXT:
                kept.append(block)
    text = b"".join(kept) if path.suffix in _TEXT else None
    name = path.relative_to(root).as_posix()
    return LocalFile(name, path, before[1], md5.hexdigest(), sha256.hexdigest(), before, text)


def _is_partial(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".partial")
