"""Rows of the tables that describe a corpus, from verified files to selected tracks."""

from typing import Annotated

from pydantic import Field

from leitmotif.tables.base import Sha256, Table, TrackId

TRACKS = "tracks.jsonl"
"""Table of a corpus folder, one CorpusTrack a row."""


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
    """Audio that a model reads in one context, in frames from the track's start.

    In a manifest a frame is 1/50 s; in the header of a stored tensor it is the model's own.
    """

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
