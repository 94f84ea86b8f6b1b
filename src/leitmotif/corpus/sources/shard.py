"""Verifies shards in MTG-Jamendo's layout, and turns tar files and official lists into audio and
rows.

The real data set and the organism's composed data set both use this code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from leitmotif.corpus.sources.archive import unpack
from leitmotif.corpus.sources.decoding import Decoded, decode_all
from leitmotif.corpus.sources.metadata import (
    TaggedTrack,
    metadata_path,
    read_checksums,
    read_licences,
    read_tags,
    track_id,
)
from leitmotif.corpus.sources.notes import Duplicates, note_of
from leitmotif.errors import AudioError, CorpusError
from leitmotif.files import sha256_file
from leitmotif.tables.corpus import CorpusTrack, Licence, Note
from leitmotif.work.progress import progress

MAX_ARCHIVE_BYTES = 4 << 30
MAX_TRACK_BYTES = 256 << 20
"""Limits well above MTG-Jamendo's shards (about 0.5 GB) and tracks (at most 30 MB)."""


@dataclass(frozen=True)
class Shards:
    """Local files of a release: some of its tar files, and its lists."""

    dataset: str
    """Name of the data set, such as ``autotagging_moodtheme``."""
    data_type: str
    """Type of the audio, such as ``audio-low``."""
    archives: Mapping[int, Path]
    """Tar file of each shard, by number."""
    tar_checksums: Path
    track_checksums: Path
    tags: Path
    licences: Path


def archive_name(dataset: str, data_type: str, number: int) -> str:
    """File name of a shard, such as ``autotagging_moodtheme_audio-low-00.tar``."""
    return f"{dataset}_{data_type}-{number:02d}.tar"


def archive_sha256(tar_checksums: Path, name: str) -> str:
    """SHA-256 of a tar file in the official list.

    Raises CorpusError if the list has no such file.
    """
    checksums = read_checksums(tar_checksums)
    if name not in checksums:
        raise CorpusError(
            f"{tar_checksums} has no {name}",
            found=f"{len(checksums)} archives, {min(checksums)} to {max(checksums)}"
            if checksums
            else "an empty list",
            fix="change corpus.shards in params.yaml",
        )
    return checksums[name]


def unpack_shards(shards: Shards, corpus: Path) -> tuple[list[CorpusTrack], list[Note]]:
    """Verify and unpack ``shards`` into ``corpus``/audio; returns its tracks in metadata order.

    Tracks that the tag file does not have follow those that it has, in the order of the official
    list, without tags. Each is decoded from beginning to end, which gives its duration; one that
    cannot be decoded as a whole has none, and a Note says why.

    Raises CorpusError, which names the file, if an archive or a track differs from the official
    file.
    """
    for number, archive in shards.archives.items():
        name = archive_name(shards.dataset, shards.data_type, number)
        expected, actual = archive_sha256(shards.tar_checksums, name), sha256_file(archive)
        if actual != expected:
            raise CorpusError(
                f"{archive} is not the official {name}",
                found=f"SHA-256 {actual}",
                expected=f"SHA-256 {expected}",
                fix="delete it and run again to get it afresh",
            )
    checksums = _track_checksums(shards)
    unpack(
        list(shards.archives.values()),
        corpus / "audio",
        expected=checksums,
        max_member_bytes=MAX_TRACK_BYTES,
        max_total_bytes=MAX_ARCHIVE_BYTES * len(shards.archives),
    )
    tagged = {row.path: row for row in read_tags(shards.tags)}
    licences = read_licences(shards.licences, {metadata_path(name) for name in checksums})
    order = {path: position for position, path in enumerate(tagged)}
    names = sorted(checksums, key=lambda name: order.get(metadata_path(name), len(order)))
    decoded = decode_all([corpus / "audio" / name for name in names])
    tracks, notes, duplicates = [], [], Duplicates()
    for name, outcome in zip(names, progress(decoded, "decoding", total=len(names)), strict=True):
        path = metadata_path(name)
        track = _track(corpus, name, checksums[name], tagged.get(path), licences.get(path))
        if isinstance(outcome, Decoded):
            first = duplicates.first(outcome.samples_sha256, track.track_id)
            track = track.model_copy(update={"seconds": outcome.seconds, "duplicate_of": first})
            notes += note_of(track.track_id, outcome.remark)
        else:
            notes.append(_unusable(track.track_id, outcome))
        tracks.append(track)
    return tracks, notes


def _unusable(track_id: str, error: AudioError) -> Note:
    detail = f"found {error.found}; expected {error.expected}"
    return Note(track_id=track_id, reason=error.reason, detail=" ".join(detail.split()))


def _track_checksums(shards: Shards) -> dict[str, str]:
    """{member: SHA-256} in the official list for these shards; shard 7 holds the folder ``07/``."""
    folders = {f"{number:02d}" for number in shards.archives}
    checksums = {
        name: sha256
        for name, sha256 in read_checksums(shards.track_checksums).items()
        if PurePosixPath(name).parts[0] in folders
    }
    if not checksums:
        raise CorpusError(
            f"{shards.track_checksums} has no track of shard {', '.join(sorted(folders))}",
            fix="change corpus.shards in params.yaml",
        )
    return checksums


def _track(
    corpus: Path, name: str, sha256: str, tagged: TaggedTrack | None, licence: Licence | None
) -> CorpusTrack:
    path = corpus / "audio" / name
    return CorpusTrack(
        track_id=tagged.track_id if tagged else track_id(name),
        path=f"audio/{name}",
        sha256=sha256,
        bytes=path.stat().st_size,
        seconds=None,
        tags=list(tagged.tags) if tagged else [],
        licence=licence,
    )
