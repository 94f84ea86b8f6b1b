"""Rows of the tables that describe a corpus, from verified files to selected tracks."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
TrackId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,199}$")]
"""Safe as a file name on every system; made from the source's own id or relative path."""
TRACKS = "tracks.jsonl"
"""Table of a corpus folder, one CorpusTrack a row."""


class Table(BaseModel):
    """Base of every row: strict, immutable, no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Span(Table):
    """A section of audio, in samples from the track's start."""

    start_sample: Annotated[int, Field(ge=0)]
    samples: Annotated[int, Field(ge=1)]


class Licence(Table):
    """Licence of a recording, and whom to credit."""

    name: str
    url: str | None
    attribution: str | None


class CorpusTrack(Table):
    """A row of data/corpus/tracks.jsonl: one verified file, in metadata order."""

    track_id: TrackId
    path: str
    """Relative to data/corpus, with forward slashes."""
    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]
    seconds: Annotated[float, Field(ge=0)] | None
    """Duration according to the file's header or the metadata; null if neither states it."""
    tags: list[str]
    licence: Licence | None


class Failure(Table):
    """A row of a failures table: a file that was left out, and why."""

    track_id: str
    path: str
    reason: str
    """One of undecodable, silent, too_short, non_finite, checksum, missing, …"""
    detail: str


class Window(Table):
    """Audio that the model reads in one context, in frames (1/50 s) from the track's start."""

    start_frame: Annotated[int, Field(ge=0)]
    frames: Annotated[int, Field(ge=1)]


class ManifestTrack(Table):
    """A row of data/manifest.jsonl: a track of the experiment."""

    track_id: TrackId
    path: str
    """Relative to data/corpus, with forward slashes."""
    sha256: Sha256
    seconds: Annotated[float, Field(gt=0)]
    tags: list[str]
    licence: Licence | None
    windows: Annotated[list[Window], Field(min_length=1)]


class Exclusion(Table):
    """A row of data/excluded.jsonl: a verified track that the manifest leaves out, and why."""

    track_id: TrackId
    reason: str
    """excluded_tag, no_required_tag, unknown_duration, too_short or no_licence."""
    detail: str
