"""A folder of one's own recordings as a corpus: copied, hashed, decoded, named safely."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leitmotif.audio.reading.source import changed_meanwhile, open_regular, state_of
from leitmotif.corpus.sources.decoding import Decoded, decode_all
from leitmotif.corpus.sources.finding import SUFFIXES, FoundFile, find_recordings
from leitmotif.corpus.sources.notes import Duplicates, note_of
from leitmotif.errors import AudioError, CorpusError
from leitmotif.files import is_full_disk
from leitmotif.tables.corpus import CorpusTrack, Failure, Note
from leitmotif.work.progress import progress

CHUNK = 1 << 20


@dataclass(frozen=True)
class _Copied:
    track_id: str
    name: str
    target: Path
    sha256: str


def copy_folder(source: Path, corpus: Path) -> tuple[list[CorpusTrack], list[Failure], list[Note]]:
    """Copy every wav, flac, ogg and mp3 below ``source`` to ``corpus``/audio, in order of path.

    See ``find_recordings`` for what is searched. Each copy is decoded from beginning to end, which
    gives its length. Tracks have no tags and no licence: a folder does not tell them. A file that
    cannot be read or decoded becomes a Failure, and what is unclear of a usable one is a Note.

    Raises CorpusError if there is no folder, no recording in it, or none that can be used.
    """
    if not source.is_dir():
        raise CorpusError(
            f"{source} is not a folder", fix="set corpus.path in params.yaml to your recordings"
        )
    files = find_recordings(source)
    if not files:
        raise CorpusError(
            f"{source} holds no recording",
            found=f"no file ending in {', '.join(sorted(SUFFIXES))}",
            fix="set corpus.path in params.yaml to your recordings",
        )
    ids = track_ids([file.name for file in files])
    copies = [
        _copy(file, track_id, corpus)
        for file, track_id in progress(zip(files, ids, strict=True), "copying", total=len(files))
    ]
    usable = [copy for copy in copies if isinstance(copy, _Copied)]
    decoded = iter(
        progress(decode_all([copy.target for copy in usable]), "decoding", total=len(usable))
    )
    tracks: list[CorpusTrack] = []
    failures: list[Failure] = []
    notes: list[Note] = []
    duplicates = Duplicates()
    for copy in copies:
        if isinstance(copy, Failure):
            failures.append(copy)
            continue
        outcome = next(decoded)
        if isinstance(outcome, AudioError):
            copy.target.unlink()
            failures.append(_undecoded(copy, outcome))
            continue
        tracks.append(_track(copy, outcome, duplicates))
        notes += note_of(copy.track_id, outcome.remark)
    if not tracks:
        raise CorpusError(
            f"no recording in {source} can be used, of {len(files)}",
            found="; ".join(f"{failure.path}: {failure.detail}" for failure in failures[:5]),
            fix="check the files named",
        )
    return tracks, failures, notes


def track_ids(names: Sequence[str]) -> list[str]:
    """Unique ids that are safe as file names, one for each relative path in ``names``.

    Letters lose their accents. All other characters except digits, ``-`` and ``_`` become ``_``. If
    two names then agree, ignoring case because file systems differ there, or if nothing is left, a
    part of the path's SHA-256 is added. So an id never depends on the order.
    """
    plain = [_plain(name) for name in names]
    counts = Counter(identifier.casefold() for identifier in plain)
    digests = [
        hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest() for name in names
    ]
    return [
        identifier
        if identifier and counts[identifier.casefold()] == 1
        # A double hyphen does not occur in other ids.
        else f"{identifier or 'track'}--{digest[:16]}"
        for identifier, digest in zip(plain, digests, strict=True)
    ]


def _plain(name: str) -> str:
    stem = name.rsplit(".", maxsplit=1)[0]
    ascii_only = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", ascii_only)
    return re.sub(r"-+", "-", safe).strip("_-")[:180]


def _copy(recording: FoundFile, track_id: str, corpus: Path) -> _Copied | Failure:
    def failure(reason: str, detail: object) -> Failure:
        said = " ".join(str(detail).split())
        return Failure(track_id=track_id, path=recording.shown, reason=reason, detail=said)

    if recording.reason is not None:
        return failure(recording.reason, recording.detail)
    target = corpus / "audio" / recording.name
    digest = hashlib.sha256()
    try:
        with open_regular(recording.path) as file:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as copy:
                before = state_of(file.fileno())
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                    copy.write(chunk)
            if state_of(file.fileno()) != before:
                target.unlink()
                error = changed_meanwhile(recording.name)
                return failure(error.reason, error.what)
    except AudioError as error:
        return failure(error.reason, error.found)
    except FileExistsError:
        return failure("same_name", "on this file system another recording has this name")
    except OSError as error:
        if is_full_disk(error):
            raise
        target.unlink(missing_ok=True)
        return failure("unreadable", error)
    return _Copied(track_id, recording.name, target, digest.hexdigest())


def _undecoded(copy: _Copied, error: AudioError) -> Failure:
    facts = [("found", error.found), ("expected", error.expected)]
    details = "; ".join(f"{name} {fact}" for name, fact in facts if fact is not None)
    # The path of the temporary copy would only confuse.
    said = details.replace(str(copy.target), copy.name)
    return Failure(
        track_id=copy.track_id,
        path=copy.name,
        reason=error.reason,
        detail=" ".join((said or error.what).split()),
    )


def _track(copy: _Copied, decoded: Decoded, duplicates: Duplicates) -> CorpusTrack:
    return CorpusTrack(
        track_id=copy.track_id,
        path=f"audio/{copy.name}",
        sha256=copy.sha256,
        bytes=copy.target.stat().st_size,
        seconds=decoded.seconds,
        tags=[],
        licence=None,
        duplicate_of=duplicates.first(decoded.samples_sha256, copy.track_id),
    )
