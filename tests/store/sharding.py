"""Small stores with shards, and how tests write and compare them."""

from collections.abc import Callable
from pathlib import Path

from leitmotif.store.reading.layout import StoreLayout
from leitmotif.store.writing.build import Build, StoreBuilder
from leitmotif.tables.corpus import ManifestTrack

MakeTrack = Callable[..., ManifestTrack]
MakeBuilder = Callable[..., StoreBuilder]
Write = Callable[..., Build]

SHARDED = StoreLayout(sharded_above=0, shard_seconds=0.5)
"""Six tracks of 0.1 to 0.35 s: two digits."""


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
