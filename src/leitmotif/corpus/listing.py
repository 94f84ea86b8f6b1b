"""The files of a folder with their hashes: what a corpus made of it depends on."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from leitmotif.audio.reading.source import open_regular
from leitmotif.corpus.sources.finding import FoundFile, find_recordings
from leitmotif.errors import AudioError, CorpusError
from leitmotif.tables.corpus import ListedFile


def list_recordings(folder: Path) -> Iterator[ListedFile]:
    """List every file that ``find_recordings`` finds, those that cannot be used with the reason.

    Raises CorpusError if there is no such folder.
    """
    if not folder.is_dir():
        raise CorpusError(
            f"{folder} is not a folder", fix="set corpus.path in params.yaml to your recordings"
        )
    return map(_listed, find_recordings(folder))


def _listed(recording: FoundFile) -> ListedFile:
    if recording.reason is not None:
        return ListedFile(path=recording.shown, sha256=None, reason=recording.reason)
    try:
        with open_regular(recording.path) as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except (AudioError, OSError):
        return ListedFile(path=recording.shown, sha256=None, reason="unreadable")
    return ListedFile(path=recording.shown, sha256=sha256, reason=None)
