"""A folder of your own recordings as a corpus: copied, hashed, and named safely."""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from leitmotif.corpus.header import header_seconds
from leitmotif.errors import CorpusError
from leitmotif.progress import progress
from leitmotif.tables.corpus import CorpusTrack, Failure

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3"})
CHUNK = 1 << 20


def copy_folder(source: Path, corpus: Path) -> tuple[list[CorpusTrack], list[Failure]]:
    """Copy every wav, flac, ogg and mp3 below ``source`` to ``corpus``/audio, in order of path.

    Subfolders are searched; hidden names and links to folders are skipped. Tracks have no tags and
    no licence, because a folder does not state them. A file becomes a Failure if it is a link that
    leads out of ``source``, is not a regular file, is unreadable, has a name that is not UTF-8, or
    has no readable header.

    Raises CorpusError if there is no folder, no recording in it, or none that can be used.
    """
    if not source.is_dir():
        raise CorpusError(
            f"{source} is not a folder", fix="set corpus.path in params.yaml to your recordings"
        )
    paths = sorted(_recordings(source), key=lambda path: path.relative_to(source).parts)
    if not paths:
        raise CorpusError(
            f"{source} holds no recording",
            found=f"no file ending in {', '.join(sorted(SUFFIXES))}",
            fix="set corpus.path in params.yaml to your recordings",
        )
    names = [path.relative_to(source).as_posix() for path in paths]
    tracks, failures = [], []
    for path, name, track_id in progress(
        zip(paths, names, track_ids(names), strict=True), "copying", total=len(paths)
    ):
        row = _copy(path, name, track_id, source, corpus)
        if isinstance(row, Failure):
            failures.append(row)
        else:
            tracks.append(row)
    if not tracks:
        raise CorpusError(
            f"none of the {len(paths)} recordings in {source} can be used",
            found="; ".join(f"{failure.path}: {failure.detail}" for failure in failures[:5]),
            fix="check the files named",
        )
    return tracks, failures


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


def _recordings(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(parent, name)


def _raise(error: OSError) -> None:
    raise CorpusError(
        f"{error.filename} cannot be searched", found=error, fix="check the folder's permissions"
    ) from error


def _copy(
    path: Path, name: str, track_id: str, source: Path, corpus: Path
) -> CorpusTrack | Failure:
    def failure(reason: str, detail: str) -> Failure:
        shown = name.encode("utf-8", "backslashreplace").decode()
        return Failure(track_id=track_id, path=shown, reason=reason, detail=detail)

    if not _is_utf8(name):
        return failure("bad_name", "the file's name is not UTF-8")
    real = Path(os.path.realpath(path))  # Path.resolve() raises on links in a circle
    if not real.is_relative_to(source.resolve()):
        return failure("outside_folder", f"a link to {real}")
    if not path.is_file():
        return failure("unreadable", "neither a regular file nor a link to one")
    try:
        file = path.open("rb")
    except OSError as error:
        return failure("unreadable", str(error))
    target = corpus / "audio" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with file, target.open("xb") as copy:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            copy.write(chunk)
    seconds = header_seconds(target)
    if seconds is None:
        target.unlink()
        return failure("undecodable", "its header is not that of a wav, flac, ogg or mp3 file")
    return CorpusTrack(
        track_id=track_id,
        path=f"audio/{name}",
        sha256=digest.hexdigest(),
        bytes=target.stat().st_size,
        seconds=seconds,
        tags=[],
        licence=None,
    )


def _is_utf8(name: str) -> bool:
    return name.encode("utf-8", "replace").decode() == name
