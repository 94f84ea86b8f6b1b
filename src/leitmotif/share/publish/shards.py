"""Shards of a store as they are published: without the tensors of tracks that may not be."""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path

from leitmotif.errors import StoreError
from leitmotif.files import read_table
from leitmotif.share.publish.local import LocalFile
from leitmotif.store.reading.header import shard_metadata
from leitmotif.store.reading.index import SHARDS, ShardRow
from leitmotif.store.reading.reader import describe
from leitmotif.tensors import TensorFile, map_tensors, serialise


@dataclass(frozen=True)
class PublishedShard:
    """What of a shard is published."""

    row: ShardRow
    """Row of the index that is published."""
    without: frozenset[str]
    """Tracks that are left out; if there are some, the file is packed anew from the others."""


def shards_of(files: Iterable[LocalFile]) -> tuple[LocalFile | None, dict[str, ShardRow]]:
    """The index of a store with shards among ``files``, and its rows by the shard's path."""
    for file in files:
        if Path(file.path).name == SHARDS:
            folder = Path(file.path).parent
            rows = read_table(file.place, ShardRow)
            return file, {(folder / row.file).as_posix(): row for row in rows}
    return None, {}


def published_shard(file: LocalFile, row: ShardRow, allowed: Set[str]) -> PublishedShard | None:
    """What of a shard may be published, given the tracks that may be; None: nothing.

    Raises StoreError for a shard that holds other tracks than its index says: of what it does not
    name nobody has asked whether it may leave.
    """
    held = [*describe(file.place)]
    if held != sorted(row.tracks):
        raise StoreError(
            f"{file.path} holds other tracks than its index says",
            found=", ".join(held),
            expected=", ".join(row.tracks),
            fix="run `leitmotif verify --full`, then `dvc checkout`",
        )
    without = frozenset(row.tracks) - allowed
    if len(without) == len(row.tracks):
        return None
    if without:
        row = _row(row, _packed(file.place, without), without)
    return PublishedShard(row, without)


def content_of(file: LocalFile, without: Set[str]) -> bytes:
    """The file without some tracks, in memory."""
    return b"".join(_packed(file.place, without).pieces)


def _packed(path: Path, without: Set[str]) -> TensorFile:
    """Lay out the shard at ``path`` as if some tracks had never been in it; arrays are mapped."""
    headers = {name: header for name, (header, _) in describe(path).items() if name not in without}
    arrays = map_tensors(path)
    return serialise({name: arrays[name] for name in headers}, shard_metadata(headers.values()))


def _row(row: ShardRow, file: TensorFile, without: Set[str]) -> ShardRow:
    """The row of such a file."""
    frames = zip(row.tracks, row.frames, strict=True)
    kept = {track: count for track, count in frames if track not in without}
    changes = {"tracks": [*kept], "frames": [*kept.values()]}
    return row.model_copy(update={"bytes": file.bytes, "sha256": file.sha256, **changes})
