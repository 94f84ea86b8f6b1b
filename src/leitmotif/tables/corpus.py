"""Rows of the tables that describe a corpus, from verified files to selected tracks."""

from typing import Annotated

from pydantic import Field

from leitmotif.tables.base import PathBelow, Sha256, Table, TrackId

TRACKS = "tracks.jsonl"
"""Table of a corpus folder, one CorpusTrack a row."""


_MOST_FRAMES = 2**40
"""Centuries at any rate. Times of more would lose their digits on the way to another rate."""


class Licence(Table):
    """Licence of a recording, and whom to credit."""

    name: str
    url: str | None
    attribution: str | None


class CorpusTrack(Table):
    """A row of data/corpus/tracks.jsonl: one verified file, in metadata order."""

    KEY = ("track_id",)

    track_id: TrackId
    path: PathBelow
    """Relative to data/corpus, with forward slashes."""
    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]
    seconds: Annotated[float, Field(ge=0)] | None
    """Duration that was decoded; null where the file cannot be decoded as a whole."""
    tags: list[str]
    licence: Licence | None
    duplicate_of: TrackId | None = None
    """An earlier track whose decoded samples are equal."""


class Failure(Table):
    """A row of a failures table: a file that was left out, and why."""

    KEY = ("track_id", "path")

    track_id: str
    path: str
    reason: str
    """A short word: undecodable, truncated, unreadable, silent, too_short, non_finite, …"""
    detail: str


class ListedFile(Table):
    """A row of data/sources/recordings.jsonl: a file of a folder corpus."""

    path: str
    """Relative to the folder; what is not UTF-8 is escaped."""
    sha256: Sha256 | None
    """Null where the file cannot be read."""
    reason: str | None
    """Why it cannot be used: bad_name, outside_folder or unreadable; null if nothing is known."""


class Note(Table):
    """A row of data/corpus/notes.jsonl: what is worth knowing of a recording that can be used."""

    track_id: TrackId
    reason: str
    """length_unknown: it cannot be told whether it ends early. header_wrong: the header promises
    less than was decoded. damaged: parts between its frames are no audio."""
    detail: str


class NearDuplicate(Table):
    """A row of data/features/near_duplicates.jsonl: two tracks that may be one take."""

    track_id: TrackId
    other: TrackId
    """The earlier of the two in the manifest."""
    similarity: Annotated[float, Field(ge=-1, le=1)]
    """Correlation of their chroma at the best shift."""


class Window(Table):
    """Audio that a model reads in one context, in frames from the track's start.

    In a manifest a frame is 1/50 s; in the header of a stored tensor it is the model's own.
    """

    start_frame: Annotated[int, Field(ge=0, le=_MOST_FRAMES)]
    frames: Annotated[int, Field(ge=1, le=_MOST_FRAMES)]


class ManifestTrack(Table):
    """A row of data/manifest.jsonl: a track of the experiment."""

    KEY = ("track_id",)

    track_id: TrackId
    path: PathBelow
    """Relative to data/corpus, with forward slashes."""
    sha256: Sha256
    seconds: Annotated[float, Field(gt=0)]
    tags: list[str]
    licence: Licence | None
    windows: Annotated[list[Window], Field(min_length=1)]


class Exclusion(Table):
    """A row of data/excluded.jsonl: a verified track that the manifest leaves out, and why."""

    KEY = ("track_id",)

    track_id: TrackId
    reason: str
    """excluded_tag, no_required_tag, unknown_duration, too_short, no_licence or duplicate."""
    detail: str
