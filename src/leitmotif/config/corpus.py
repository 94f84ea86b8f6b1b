"""Settings of the recordings: where they come from, which are used, and when one fails."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from leitmotif.config.section import Settings

RECORDINGS = Path("data/sources/recordings.jsonl")
"""The list of a folder's files that DVC watches in place of the folder (stage ``recordings``)."""


class WatchedCorpus(Settings):
    """A corpus that is made of one file, which DVC watches."""

    path: str
    """The file."""
    watch: str
    """What DVC watches: the same."""
    listings: Annotated[list[str], Field(max_length=0)]
    """Stages that list what DVC cannot watch itself: none."""

    @field_validator("watch")
    @classmethod
    def _watches_the_file(cls, watch: str, info: ValidationInfo) -> str:
        path = info.data.get("path")
        if path is not None and watch != path:
            raise ValueError(
                f"corpus.path is the file {path!r}, so watch must be {path!r} too: otherwise a "
                "change of it would not make the corpus stale"
            )
        return watch


class OrganismCorpus(WatchedCorpus):
    """Music composed by this repository, written as a shard in MTG-Jamendo's layout."""

    source: Literal["organism"]
    path: str
    """World description that the composer reads."""
    pieces: Annotated[int, Field(ge=1, le=10_000)]
    """Number of pieces to compose, including ineligible ones (short, sung, unlicensed)."""
    seed: Annotated[int, Field(ge=0)]


class FolderCorpus(Settings):
    """Every wav, flac, ogg and mp3 file below a folder of your own."""

    source: Literal["folder"]
    path: str
    """The folder. Only the stage ``recordings`` and the corpus read it."""
    watch: Literal["data/sources/recordings.jsonl"]
    """What DVC watches: the list of the folder's files with their hashes. DVC itself would wait for
    ever at a pipe in the folder, and stop at a broken link."""
    listings: Annotated[list[Literal["folder"]], Field(min_length=1, max_length=1)]
    """Switches on the stage that writes this list, before every run of the pipeline."""


class MtgJamendoCorpus(WatchedCorpus):
    """Shards of MTG-Jamendo, downloaded and verified against the official checksums."""

    source: Literal["mtg-jamendo"]
    path: str
    """Pinned description of the release: metadata revision and the files' SHA-256."""
    shards: Annotated[list[Annotated[int, Field(ge=0, le=99)]], Field(min_length=1)]
    """Numbers of the tar files to use; shard 0 holds 202 tracks."""
    audio_url: str
    """Base address; ``<dataset>/<data type>/<tar>`` is appended."""
    metadata_url: str
    """Base address; ``<revision>/<file>`` is appended."""
    retries: Annotated[int, Field(ge=0, le=100)]
    """Further attempts after the first, per file. Each resumes where the last attempt stopped."""


class ManifestParams(Settings):
    """Which tracks of the verified corpus are used, in metadata order."""

    tracks: Annotated[int, Field(ge=1)]
    """Maximum number of tracks; the first eligible tracks are used."""
    min_seconds: Annotated[float, Field(gt=0)]
    """Minimum duration of an eligible track."""
    required_tag_prefixes: list[str]
    """A track needs a tag that starts with each prefix, such as ``instrument---``; an empty list
    requires no tags."""
    excluded_tag_words: list[str]
    """A track is left out if a tag contains one of these words, such as ``voice``."""
    require_licence: bool
    """Leave out tracks whose licence is unknown."""
    window_seconds: Annotated[float, Field(ge=1, le=30)]
    """Maximum length of the audio in one context. MusicGen was trained on 30 s."""
    windows: Literal["first", "all"]
    """``first``: one window from the track's start. ``all``: adjacent windows over the track."""


class FeaturesParams(Settings):
    """Chroma, energy, onset strength and source artifacts of each track."""

    min_seconds: Annotated[float, Field(gt=0)]
    """Decoded audio shorter than this is a failure (``too_short``)."""
    silence_dbfs: Annotated[float, Field(le=0)]
    """A track whose loudest 100 ms lie below this RMS level is a failure (``silent``)."""
    max_failures: Annotated[int, Field(ge=0)]
    """Maximum number of failed tracks; the stage stops if there are more."""
