"""The table of contents of an activation store, and where its files lie."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from leitmotif.errors import StoreError
from leitmotif.files import read_table
from leitmotif.files.restoring import how_to_restore
from leitmotif.tables.base import Sha256, Table, TrackId

INDEX = "index.jsonl"
FAILURES = "failures.jsonl"
"""Tracks that have no tensors, and why; beside the index."""


class IndexRow(Table):
    """A row of index.jsonl: one tensor."""

    site: str
    track_id: TrackId
    file: str
    """Relative to the store: {site}/{track_id}.safetensors."""
    bytes: Annotated[int, Field(gt=0)]
    sha256: Sha256
    shape: tuple[int, int]
    """Rows (frames), width."""
    dtype: Literal["float16", "float32"]
    address: Sha256
    """Of the work that made it; see ``Origin``."""


def file_of(site: str, track_id: str) -> str:
    """Path of a tensor's file, relative to the store, with forward slashes."""
    return f"{site}/{track_id}.safetensors"


def read_index(root: Path) -> list[IndexRow]:
    """Read the index of the store in ``root``; raises StoreError when there is none."""
    path = root / INDEX
    if not path.is_file():
        raise StoreError(
            f"{root} is not an activation store",
            found=f"no {INDEX} in it",
            fix=how_to_restore("activations"),
        )
    return read_table(path, IndexRow)
