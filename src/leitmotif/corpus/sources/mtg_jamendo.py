"""Downloads MTG-Jamendo.

A pin file names the release: the commit of the metadata repository and the SHA-256 of the files
used. These files hold the checksums of the tar files and of every track, so the pin verifies
everything.
"""

import sys
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from leitmotif.config import MtgJamendoCorpus
from leitmotif.corpus.sources.download import download
from leitmotif.corpus.sources.shard import (
    MAX_ARCHIVE_BYTES,
    Shards,
    archive_name,
    archive_sha256,
    unpack_shards,
)
from leitmotif.errors import CorpusError
from leitmotif.files import read_json
from leitmotif.tables.base import Sha256, Table
from leitmotif.tables.corpus import CorpusTrack, Note

_PATH = "correct corpus.path in params.yaml"
MAX_METADATA_BYTES = 64 << 20


class PinnedFile(Table):
    """A file of the metadata repository."""

    path: str
    sha256: Sha256 | None
    """None if only the commit pins the content; the download then prints the hash."""


class Release(Table):
    """The pin file."""

    dataset: str
    data_type: str
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    """Commit of the metadata repository."""
    tar_checksums: PinnedFile
    track_checksums: PinnedFile
    tags: PinnedFile
    audio_licences: PinnedFile


def load_release(path: Path) -> Release:
    """Read a pin file. Raises CorpusError, which names a field that cannot be used."""
    try:
        return Release.model_validate(read_json(path, fix=_PATH, error=CorpusError))
    except ValidationError as error:
        raise CorpusError(
            f"{path} does not describe a release of MTG-Jamendo",
            found=error,
            fix="take data/sources/mtg_jamendo.json as it is in git",
        ) from error


def fetch_mtg_jamendo(
    settings: MtgJamendoCorpus, corpus: Path, work: Path
) -> tuple[list[CorpusTrack], list[Note]]:
    """Download, verify and unpack shards into ``corpus``/audio; returns tracks and notes.

    Parameters
    ----------
    settings
        Section ``corpus`` of params.yaml.
    corpus
        Folder of the corpus; audio goes to its subfolder ``audio``.
    work
        Folder that keeps downloads. They are resumed there and checked again on each call.

    Raises
    ------
    CorpusError
        Names a file that cannot be downloaded or differs from the release.
    """
    release = load_release(Path(settings.path))
    downloads = work / "downloads" / "mtg-jamendo"

    def metadata(file: PinnedFile) -> Path:
        target = downloads / release.revision / file.path
        sha256 = download(
            f"{settings.metadata_url}/{release.revision}/{file.path}",
            target,
            sha256=file.sha256,
            max_bytes=MAX_METADATA_BYTES,
            retries=settings.retries,
        )
        if file.sha256 is None:
            print(f"{file.path}: SHA-256 {sha256}, not pinned by {settings.path}", file=sys.stderr)
        return target

    tar_checksums = metadata(release.tar_checksums)
    track_checksums, tags = metadata(release.track_checksums), metadata(release.tags)
    licences = metadata(release.audio_licences)
    archives = {}
    for number in sorted(settings.shards):
        name = archive_name(release.dataset, release.data_type, number)
        archives[number] = downloads / name
        download(
            f"{settings.audio_url}/{release.dataset}/{release.data_type}/{name}",
            archives[number],
            sha256=archive_sha256(tar_checksums, name),
            max_bytes=MAX_ARCHIVE_BYTES,
            retries=settings.retries,
        )
    shards = Shards(
        dataset=release.dataset,
        data_type=release.data_type,
        archives=archives,
        tar_checksums=tar_checksums,
        track_checksums=track_checksums,
        tags=tags,
        licences=licences,
    )
    return unpack_shards(shards, corpus)
