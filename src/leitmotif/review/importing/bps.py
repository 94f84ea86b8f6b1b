"""Motifs of BPS-motif: occurrences in crotchets, from scores of Beethoven's piano sonatas.

A row of a ``*.motifs.csv`` is an occurrence: ``start`` and ``end`` in crotchets, ``type`` is the
motif. A recording is not in crotchets, so a tempo, or better a table of the performance, says when
each of them sounds.

Hsiao, Y.-W., Hung, T.-Y., Chen, T.-P. & Su, L. (2023). BPS-Motif: a dataset for repeated pattern
discovery of polyphonic symbolic music. ISMIR.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from leitmotif.errors import ReviewError
from leitmotif.review.importing.annotations import (
    Annotations,
    Mistakes,
    Occurrence,
    number,
    pairs_of,
)
from leitmotif.review.importing.csv_pairs import table

COLUMNS = ("start", "end", "type")
FIX = "take the file as BPS-motif publishes it"
Clock = Callable[[float], float]
"""Seconds of a crotchet; raises ValueError for one that it does not know."""


def read_bps(path: Path, *, track: str, clock: Clock) -> Annotations:
    """Read the motifs of a movement; raises ReviewError that names the file and its lines."""
    mistakes = Mistakes(path, "occurrences of motifs, in crotchets", FIX)
    lines = table(path, mistakes)
    _, header = next(lines, ("", []))
    odd = [name for name in COLUMNS if header.count(name) != 1]
    if odd:
        raise ReviewError(
            f"{path}, line 1: these are not the columns of BPS-motif's motifs",
            found="; ".join(f"{'twice' if name in header else 'no'} {name}" for name in odd),
            expected=f"{', '.join(COLUMNS)} among others, each once",
            fix="import its *.motifs.csv, not its *.notes.csv",
        )
    occurrences = []
    for place, cells in lines:
        if len(cells) != len(header):
            mistakes.add(place, f"{len(cells)} columns, where the first line has {len(header)}")
            continue
        row = dict(zip(header, cells, strict=True))
        try:
            start, end = (clock(number(row[name])) for name in ("start", "end"))
            if not row["type"].strip():
                raise ValueError("no type")
            if end < start:
                raise ValueError(f"it ends at {row['end']}, before it starts at {row['start']}")
        except ValueError as error:
            mistakes.add(place, error)
            continue
        occurrences.append(Occurrence(place, row["type"].strip(), (start, end)))
    mistakes.refuse()
    pairs, remarks = pairs_of(track, occurrences)
    return Annotations(pairs, {track: "--track"}, remarks)


def steady(crotchet_seconds: float, zero_seconds: float) -> Clock:
    """Give every crotchet one length; crotchet 0 sounds at ``zero_seconds``.

    Raises ReviewError for a length that is no length.
    """
    if not 0 < crotchet_seconds < np.inf or not np.isfinite(zero_seconds):
        raise ReviewError(
            "this is no tempo",
            found=f"{crotchet_seconds:g} s a crotchet, the first at {zero_seconds:g} s",
            expected="--crotchet-seconds above 0",
        )
    return lambda crotchet: zero_seconds + crotchet * crotchet_seconds


def performed(path: Path) -> Clock:
    """Read when crotchets sound: CSV with the columns ``crotchet`` and ``seconds``, ascending.

    Between two lines the tempo is steady. Raises ReviewError that names the file and its lines.
    """
    expected = "two lines or more with crotchet and seconds, both ascending"
    fix = "write a line for each beat, or for each change of tempo"
    mistakes = Mistakes(path, expected, fix)
    lines = table(path, mistakes)
    _, header = next(lines, ("", []))
    if header != ["crotchet", "seconds"]:
        raise ReviewError(f"{path}, line 1: this is no table of tempo", expected=expected, fix=fix)
    points: list[tuple[float, float]] = []
    for place, cells in lines:
        try:
            crotchet, seconds = map(number, cells)
            if points and (crotchet <= points[-1][0] or seconds <= points[-1][1]):
                raise ValueError("it does not lie after the line before")
        except ValueError as error:
            mistakes.add(place, error)
            continue
        points.append((crotchet, seconds))
    if len(points) < 2:
        mistakes.add("file", "fewer than two lines")
    mistakes.refuse()
    known, sounding = np.array(points).T

    def clock(crotchet: float) -> float:
        if not known[0] <= crotchet <= known[-1]:
            raise ValueError(
                f"crotchet {crotchet:g} lies outside {path}, {known[0]:g} to {known[-1]:g}"
            )
        return float(np.interp(crotchet, known, sounding))

    return clock
