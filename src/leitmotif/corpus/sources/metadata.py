"""Parsers of MTG-Jamendo's metadata formats, which the organism's shard shares.

The formats are those of the repository MTG/mtg-jamendo-dataset (Bogdanov et al., "The MTG-Jamendo
dataset for automatic music tagging", ICML 2019 workshop). Every error names the file and the line.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from leitmotif.errors import CorpusError
from leitmotif.files import read_bytes, read_text
from leitmotif.tables.corpus import Licence

TSV_HEADER = ["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"]


@dataclass(frozen=True)
class TaggedTrack:
    """A line of an ``autotagging_*.tsv``."""

    track_id: str
    path: str
    """Path of the full-quality file, such as ``82/382.mp3``; see ``metadata_path``."""
    seconds: float
    tags: tuple[str, ...]


def metadata_path(name: str) -> str:
    """Path of a tar file's member in the metadata.

    Archives of type ``audio-low`` hold ``82/382.low.mp3`` where the metadata says ``82/382.mp3``.
    Other types use the path of the metadata.
    """
    return name.removesuffix(".low.mp3") + ".mp3" if name.endswith(".low.mp3") else name


def track_id(name: str) -> str:
    """Track id of a tar file's member: ``track_0000382`` for ``82/382.low.mp3``."""
    number = PurePosixPath(metadata_path(name)).stem
    if not number.isdecimal():
        raise CorpusError(
            f"{name} is not named as MTG-Jamendo names its tracks",
            found=number,
            expected="the track's number, such as 82/382.low.mp3",
            fix=_FIX,
        )
    return f"track_{int(number):07d}"


def read_tags(path: Path) -> list[TaggedTrack]:
    """Read an ``autotagging_*.tsv``: five columns, then one column for each tag of the track."""
    rows: list[TaggedTrack] = []
    paths: set[str] = set()
    for number, line in enumerate(_lines(path), start=1):
        fields = line.split("\t")
        if number == 1:
            if fields != TSV_HEADER:
                raise _bad_line(path, number, line, expected=f"the header {' '.join(TSV_HEADER)}")
            continue
        if len(fields) < len(TSV_HEADER) or not all(fields):
            raise _bad_line(path, number, line, expected="five columns and at least one tag")
        track_id, _, _, audio, duration, *tags = fields
        if not re.fullmatch(r"track_\d+", track_id):
            raise _bad_line(path, number, track_id, expected="an id such as track_0000382")
        if not _is_safe(audio) or not audio.endswith(".mp3"):
            raise _bad_line(path, number, audio, expected="a path such as 82/382.mp3")
        if audio in paths:
            raise _bad_line(path, number, audio, expected="each path once")
        if not re.fullmatch(r"\d+(\.\d+)?", duration):
            raise _bad_line(path, number, duration, expected="a duration in seconds")
        paths.add(audio)
        rows.append(TaggedTrack(track_id, audio, float(duration), tuple(tags)))
    return rows


def read_checksums(path: Path) -> dict[str, str]:
    """Read a ``*_sha256_*.txt``: lines ``<64 hex digits> <name>``; returns {name: SHA-256}."""
    checksums: dict[str, str] = {}
    for number, line in enumerate(_lines(path), start=1):
        match = re.fullmatch(r"([0-9a-f]{64}) (\S+)", line)
        if not match or not _is_safe(match[2]):
            raise _bad_line(path, number, line, expected="a SHA-256, a space and a relative path")
        if match[2] in checksums:
            raise _bad_line(path, number, match[2], expected="each name once")
        checksums[match[2]] = match[1]
    return checksums


def read_licences(path: Path, wanted: Collection[str]) -> dict[str, Licence]:
    """Read ``audio_licenses.txt``; returns {path: licence} for those ``wanted`` paths that it
    contains.

    A block is a line with the track's path, a line of credit, and a line ``Available under a …
    license: <address>``. Blocks of other tracks are not parsed: the file covers all of Jamendo, and
    irregular blocks of other tracks are no reason to stop.
    """
    content = read_bytes(path, fix=_FIX, error=CorpusError)
    blocks: dict[str, tuple[int, list[bytes]]] = {}
    current: list[bytes] = []
    for number, line in enumerate(content.splitlines(), start=1):
        if not re.fullmatch(rb"\d+/\d+\.mp3", line.strip()):
            current.append(line)
            continue
        audio, current = line.strip().decode(), []
        if audio in wanted:
            if audio in blocks:
                raise _bad_line(path, number, audio, expected="each path once")
            blocks[audio] = number, current
    return {
        audio: _licence(path, number, b"\n".join(lines))
        for audio, (number, lines) in blocks.items()
    }


def _licence(path: Path, number: int, block: bytes) -> Licence:
    text = block.decode("utf-8", errors="backslashreplace")
    match = re.search(r"^Available under an? (.+) licen[cs]e: (https?://\S+)$", text, re.MULTILINE)
    attribution = " ".join(text[: match.start()].split()) if match else ""
    if not match or not attribution:
        raise _bad_line(
            path,
            number,
            text,
            expected="a line of credit, then 'Available under a … license: <address>'",
        )
    return Licence(name=_short_name(match[1], match[2]), url=match[2], attribution=attribution)


def _short_name(words: str, url: str) -> str:
    """Short name such as ``CC BY-NC-SA 3.0`` for a Creative Commons address, else the file's
    text."""
    match = re.match(
        r"https?://creativecommons\.org/(?:licenses|publicdomain)/([a-z-]+)/(\d\.\d)(?:/([a-z]{2}))?",
        url,
    )
    if not match:
        return words
    kind, version, country = match.groups()
    name = {"zero": "CC0", "mark": "Public Domain Mark"}.get(kind, f"CC {kind.upper()}")
    return " ".join(part for part in (name, version, country and country.upper()) if part)


def _lines(path: Path) -> list[str]:
    # Not splitlines(), which would also split at the separators that Unicode has in texts.
    return read_text(path, fix=_FIX, error=CorpusError).rstrip("\n").split("\n")


def _is_safe(name: str) -> bool:
    """Whether ``name`` is a relative path that stays below its root."""
    parts = PurePosixPath(name).parts
    return str(PurePosixPath(name)) == name and not name.startswith("/") and ".." not in parts


def _bad_line(path: Path, number: int, found: str, *, expected: str) -> CorpusError:
    return CorpusError(
        f"{path}:{number} does not have the format of MTG-Jamendo",
        found=found,
        expected=expected,
        fix=_FIX,
    )


_FIX = "delete the file and run again to get it afresh"
