"""Tables of a publication: what is in it, what was left out, and the licence of each track."""

from collections.abc import Iterable
from typing import Annotated, Final, Literal

from pydantic import Field

from leitmotif.files import json_lines
from leitmotif.tables.base import Sha256, Table, TrackId
from leitmotif.tables.corpus import Licence

CARD = "README.md"
PUBLICATION = "publication.json"
MANIFEST = "manifest.jsonl"
TRACKS = "tracks.jsonl"
WITHHELD = "withheld.jsonl"
FORMAT: Final = "leitmotif-publication/1"


def content_of(name: str, rows: Iterable[Table]) -> bytes:
    """A table of that name, as ``leitmotif.files.write_table`` writes it."""
    return "".join(json_lines(rows, name=name)).encode()


class PublishedFile(Table):
    """A row of manifest.jsonl: a file of the publication."""

    KEY = ("path",)

    path: str
    """Path in the data set, and in the repository that made it."""
    bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256
    licences: list[str]
    """Names of all that hold for it; see tracks.jsonl and the card for their texts."""
    tracks: list[TrackId]
    """Whose recordings it was made from; empty for a table and for what no recording is in."""
    rows_left_out: Annotated[int, Field(ge=0)] = 0
    """Of a table: rows on tracks that are not published; of an index of shards: shards."""
    tensors_left_out: Annotated[int, Field(ge=0)] = 0
    """Of a shard: those of tracks that are not published; it was packed anew without them."""


class WithheldFile(Table):
    """A row of withheld.jsonl: a file that was not published, and why."""

    KEY = ("path",)

    path: str
    bytes: Annotated[int, Field(ge=0)]
    reason: str
    """no_licence, unknown_licence, no_derivatives, no_attribution, or unknown_track where nothing
    tells which recording it was made from."""
    tracks: list[TrackId]
    """Tracks for whose sake it was left out."""


class PublishedTrack(Table):
    """A row of tracks.jsonl: a track of the experiment, published or not."""

    KEY = ("track_id",)

    track_id: TrackId
    sha256: Sha256
    """SHA-256 of the recording, which is not published."""
    licence: Licence | None
    published: bool
    reason: str | None
    """Why it is not; null where it is."""


class PublicationRecord(Table):
    """publication.json: what was published, from which state. It marks a data set as made here."""

    format: Literal["leitmotif-publication/1"] = FORMAT
    source: str
    """Model and kind of corpus; another publication of the same source takes its place."""
    commit: str
    """Commit of the repository."""
    uncommitted: list[str]
    """Files that differed from that commit; none that decides what is published."""
    dvc_lock_sha256: Sha256
    manifest_sha256: Sha256
    card_sha256: Sha256 | None = None
    """Of README.md, by which words that somebody added there are noticed; null in older records."""
    files: int
    bytes: int
    version: str
    """Version of leitmotif."""
