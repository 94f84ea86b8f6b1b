"""Does the store on the disk still hold what its index says?"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from leitmotif.errors import StoreError, counted
from leitmotif.files import sha256_file
from leitmotif.store.reading.index import (
    FAILURES,
    SHARDS,
    IndexRow,
    ShardRow,
    StoreRow,
    file_of,
    index_of,
    read_index,
)
from leitmotif.store.reading.layout import shard_file, shard_of
from leitmotif.store.reading.reader import describe


@dataclass(frozen=True)
class Problem:
    """Something wrong with one file of a store."""

    file: str
    """Relative to the store."""
    what: str

    def __str__(self) -> str:
        """Show as ``file: what``."""
        return f"{self.file}: {self.what}"


def verify(root: Path, *, full: bool = False) -> list[Problem]:
    """List what is wrong with the store in ``root``: nothing, if it is sound.

    Compares index, files and headers: missing, extra, misnamed and resized files, and tensors of
    other work than the index names. ``full`` reads every byte and finds any change of content.
    Raises StoreError or LeitmotifError when there is no readable index.
    """
    index, rows = index_of(root), read_index(root)
    problems = [
        Problem(file, f"{count} times in the index")
        for file, count in Counter(row.file for row in rows).items()
        if count > 1
    ]
    problems += _repeated(rows)
    indexed = {index, FAILURES, *(row.file for row in rows)}
    present = {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}
    problems += [Problem(file, "not in the index") for file in sorted(present - indexed)]
    for row in rows:
        what = _check(root, row, full=full)
        if what:
            problems.append(Problem(row.file, what))
    return problems


def _repeated(rows: Sequence[StoreRow]) -> Iterator[Problem]:
    """Tracks that several shards of a site hold."""
    sites: dict[str, list[ShardRow]] = {}
    for row in rows:
        if isinstance(row, ShardRow):
            sites.setdefault(row.site, []).append(row)
    for site, shards in sites.items():
        tracks = [track for row in shards for track in row.tracks]
        twice = [track for track, count in Counter(tracks).items() if count > 1]
        if twice:
            yield Problem(SHARDS, f"more than once at {site}: {', '.join(twice)}")


def _check(root: Path, row: StoreRow, *, full: bool) -> str | None:
    """Say what is wrong with one file, or None."""
    path = root / row.file
    if misnamed := _misnamed(row):
        return misnamed
    if not path.is_file():
        return "missing"
    size = path.stat().st_size
    if size != row.bytes:
        return f"{counted(size, 'byte')}, not {row.bytes:,}"
    if full and sha256_file(path) != row.sha256:
        return "its content has changed: the SHA-256 is not that of the index"
    return _check_headers(path, row)


def _misnamed(row: StoreRow) -> str | None:
    """Say by which name a file should go, or which tracks belong into others."""
    if isinstance(row, IndexRow):
        right = file_of(row.site, row.track_id)
        return None if row.file == right else f"should be called {right}"
    shard = row.file.removesuffix(".safetensors").rpartition(".")[2]
    if row.file != shard_file(row.site, shard):
        return f"should be called {shard_file(row.site, 'DIGITS')}"
    foreign = [track for track in row.tracks if shard_of(track, len(shard)) != shard]
    return f"tracks of other shards: {', '.join(foreign)}" if foreign else None


def _check_headers(path: Path, row: StoreRow) -> str | None:
    try:
        described = describe(path)
    except StoreError as error:
        return f"{error.what}: {error.found}"
    expected = {tensor.name: tensor for tensor in row.stored}
    if sorted(described) != sorted(expected):
        return f"it holds {', '.join(described)}, by the index {', '.join(expected)}"
    for name, tensor in expected.items():
        header, shape = described[name]
        stated: tuple[object, ...] = (header.site, header.track_id, shape, header.dtype)
        known: tuple[object, ...] = (tensor.site, tensor.track_id, tensor.shape, tensor.dtype)
        if isinstance(row, IndexRow):
            stated, known = (*stated, header.address), (*known, row.address)
        if stated != known:
            return f"its header says {stated}, the index {known}"
    return None
