"""Pairs in CSV: a line for each motif and its return, in seconds.

Columns, by name and in any order: ``track`` (unless it is given for the whole file),
``motif_start``, ``motif_end``, ``recurrence_start``, ``recurrence_end``; and, if wanted,
``verdict`` (positive if empty), ``transposition`` (semitones) and ``note``. A line with a track and
no times says that the track was listened to and nothing returns in it.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from leitmotif.errors import ReviewError
from leitmotif.files import read_text
from leitmotif.review.importing.annotations import (
    AnnotatedPair,
    Annotations,
    Mistakes,
    number,
    unknown_keys,
)
from leitmotif.tables.decisions import VERDICTS, Verdict

TIMES = ("motif_start", "motif_end", "recurrence_start", "recurrence_end")
OPTIONAL = ("verdict", "transposition", "note")
FIX = "correct the file, which is CSV in UTF-8 with a line of column names"
_MOST_SEMITONES = 60


def read_csv(path: Path, *, track: str | None) -> Annotations:
    """Read a file of pairs; raises ReviewError that names the file and its lines."""
    mistakes = Mistakes(path, "a line for each pair, times in seconds", FIX)
    lines = table(path, mistakes)
    place, header = next(lines, ("", []))
    _check_header(path, header, track)
    pairs: list[AnnotatedPair] = []
    tracks: dict[str, str] = {} if track is None else {track: "--track"}
    for place, cells in lines:
        if len(cells) != len(header):
            mistakes.add(place, f"{len(cells)} columns, where the first line has {len(header)}")
            continue
        row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        name = track or row["track"]
        try:
            pair = _pair(place, name, row)
        except ValueError as error:
            mistakes.add(place, error)
            continue
        tracks.setdefault(name, place)
        if pair:
            pairs.append(pair)
    if not tracks:
        mistakes.add("file", "no line after the first")
    mistakes.refuse()
    return Annotations(pairs, tracks)


def table(path: Path, mistakes: Mistakes) -> Iterator[tuple[str, list[str]]]:
    """Rows of a CSV file with their place, blank lines left out; what is no CSV is a mistake."""
    text = read_text(path, fix=FIX, error=ReviewError)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        before = 0
        for cells in reader:
            place, before = f"line {before + 1}", reader.line_num
            if any(cell.strip() for cell in cells):
                yield place, cells
    except csv.Error as error:
        mistakes.add(f"line {reader.line_num}", error)


def _check_header(path: Path, header: Sequence[str], track: str | None) -> None:
    needed = [*TIMES] if track else ["track", *TIMES]
    missing = unknown_keys(needed, header)
    unknown = unknown_keys(header, [*needed, *OPTIONAL])
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if not (missing or unknown or twice):
        return
    problems = [
        f"{what} {', '.join(names)}"
        for what, names in (("no", missing), ("unknown", unknown), ("twice", twice))
        if names
    ]
    if any(";" in name or "\t" in name for name in header):
        problems = ["columns that are not separated by commas"]
    elif track and "track" in unknown:
        problems.append("--track names the track of the whole file")
    raise ReviewError(
        f"{path}, line 1: these are not the columns of pairs",
        found="; ".join(problems),
        expected=f"{', '.join(needed)}; if wanted {', '.join(OPTIONAL)}",
        fix=FIX,
    )


def _pair(place: str, track: str, row: dict[str, str]) -> AnnotatedPair | None:
    """The pair of a line; None where it only names a track. Raises ValueError."""
    if not track:
        raise ValueError("no track")
    if not any(row[name] for name in TIMES):
        if any(row.get(name) for name in OPTIONAL):
            raise ValueError("no times")
        return None
    times = [_time(name, row[name]) for name in TIMES]
    return AnnotatedPair(
        place,
        track,
        motif=(times[0], times[1]),
        recurrence=(times[2], times[3]),
        verdict=_verdict(row.get("verdict", "")),
        transposition=_semitones(row.get("transposition", "")),
        note=row.get("note", ""),
    )


def _time(name: str, text: str) -> float:
    try:
        return number(text)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def _verdict(text: str) -> Verdict:
    for verdict in VERDICTS:
        if text == verdict or not text:
            return verdict  # the first is positive
    raise ValueError(f"verdict {text!r} is none of {', '.join(VERDICTS)}")


def _semitones(text: str) -> int | None:
    if not text:
        return None
    value = number(text)
    if value != int(value) or abs(value) > _MOST_SEMITONES:
        raise ValueError(f"transposition {text!r} is no whole number of semitones")
    return int(value)
