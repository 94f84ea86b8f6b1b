"""The table of contents of an activation store, and where its files lie."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leitmotif.errors import StoreError
from leitmotif.files import read_table, write_table
from leitmotif.files.restoring import how_to_restore
from leitmotif.store.reading.header import TENSOR
from leitmotif.tables.base import PathBelow, Sha256, Table, TrackId

INDEX = "index.jsonl"
"""Name of the index of a store with a file for each tensor."""
SHARDS = "shards.jsonl"
"""Name of the index of a store with shards, in the place of the index."""
FAILURES = "failures.jsonl"
"""Tracks that have no tensors, and why; beside the index."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor, and where it lies."""

    site: str
    track_id: str
    file: str
    """Relative to the store."""
    name: str
    """Name of the tensor in its file."""
    shape: tuple[int, int]
    """Rows (frames), width."""
    dtype: str


class IndexRow(Table):
    """A row of index.jsonl: one tensor."""

    KEY = ("file",)

    site: str
    track_id: TrackId
    file: PathBelow
    """Relative to the store: {site}/{track_id}.safetensors."""
    bytes: Annotated[int, Field(gt=0)]
    sha256: Sha256
    shape: tuple[int, int]
    """Rows (frames), width."""
    dtype: Literal["float16", "float32"]
    address: Sha256
    """Address of the work that made it; see ``Origin``."""

    @property
    def stored(self) -> list[StoredTensor]:
        """The one tensor."""
        return [StoredTensor(self.site, self.track_id, self.file, TENSOR, self.shape, self.dtype)]


class ShardRow(Table):
    """A row of shards.jsonl: one site of some tracks, in one file."""

    KEY = ("file",)

    site: str
    file: PathBelow
    """Relative to the store: {site}/shard.{digits}.safetensors."""
    bytes: Annotated[int, Field(gt=0)]
    sha256: Sha256
    width: Annotated[int, Field(gt=0)]
    dtype: Literal["float16", "float32"]
    tracks: Annotated[list[TrackId], Field(min_length=1)]
    """Tracks in the order of their ids, which are also the names of the tensors."""
    frames: list[Annotated[int, Field(gt=0)]]
    """Rows of each tensor."""

    @model_validator(mode="after")
    def _alike(self) -> Self:
        if len(self.tracks) != len(self.frames):
            raise ValueError("tracks and frames are not of one length")
        return self

    @property
    def stored(self) -> list[StoredTensor]:
        """The tensors."""
        return [
            StoredTensor(self.site, track, self.file, track, (frames, self.width), self.dtype)
            for track, frames in zip(self.tracks, self.frames, strict=True)
        ]


StoreRow = IndexRow | ShardRow


def file_of(site: str, track_id: str) -> str:
    """Path of a tensor's file, relative to the store, with forward slashes."""
    return f"{site}/{track_id}.safetensors"


def index_of(root: Path) -> str:
    """Name of the index of the store in ``root``; raises StoreError when there is none."""
    for name in (INDEX, SHARDS):
        if (root / name).is_file():
            return name
    raise StoreError(
        f"{root} is not an activation store",
        found=f"no {INDEX} and no {SHARDS} in it",
        fix=how_to_restore("activations"),
    )


def read_index(root: Path) -> Sequence[StoreRow]:
    """Read the index of the store in ``root``; raises StoreError when there is none."""
    name = index_of(root)
    if name == SHARDS:
        return read_table(root / name, ShardRow)
    return read_table(root / name, IndexRow)


def write_index(root: Path, rows: Iterable[StoreRow]) -> None:
    """Write the index of the store in ``root``, whose rows are of one kind."""
    rows = list(rows)
    sharded = any(isinstance(row, ShardRow) for row in rows)
    write_table(root / (SHARDS if sharded else INDEX), rows)
