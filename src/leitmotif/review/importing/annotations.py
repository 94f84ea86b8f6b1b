"""What a file of annotations says, whatever its format, and how its mistakes are named."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from leitmotif.errors import ReviewError, counted
from leitmotif.tables.decisions import Verdict

Format = Literal["csv", "bps", "jams"]
Seconds = tuple[float, float]
"""Start and end in the recording."""

_SHOWN = 5
"""Mistakes that an error lists; it counts the others."""


@dataclass(frozen=True)
class AnnotatedPair:
    """A motif and a later window, with what the annotator says of them."""

    place: str
    """Where in the file, such as ``line 4``."""
    track: str
    motif: Seconds
    recurrence: Seconds
    verdict: Verdict = "positive"
    transposition: int | None = None
    """Semitones; None: the file does not say."""
    note: str = ""


@dataclass(frozen=True)
class Annotations:
    """The contents of a file."""

    pairs: list[AnnotatedPair]
    tracks: dict[str, str]
    """Tracks that were annotated, with the place that names each first; also those in which
    nothing returns."""
    remarks: list[str] = field(default_factory=list)
    """What the file holds and cannot be imported, though it is no mistake."""
    until: float | None = None
    """Second of an excerpt from which on the file does not say what returns; None: it says all."""


@dataclass(frozen=True)
class Occurrence:
    """One place at which a pattern sounds."""

    place: str
    pattern: str
    span: Seconds


class Mistakes:
    """Mistakes of one file, all of which are named before anything is written."""

    def __init__(self, path: Path, expected: str, fix: str) -> None:
        self._path, self._expected, self._fix = path, expected, fix
        self._found: list[str] = []

    def add(self, place: str, what: object) -> None:
        """Note that something is wrong at a place of the file."""
        self._found.append(f"{place}: {what}")

    def refuse(self) -> None:
        """Raise ReviewError if anything was noted."""
        if not self._found:
            return
        listed = "; ".join(self._found[:_SHOWN])
        more = len(self._found) - _SHOWN
        raise ReviewError(
            f"{self._path} cannot be imported: {counted(len(self._found), 'mistake')}",
            found=f"{listed}; and {more} more" if more > 0 else listed,
            expected=self._expected,
            fix=f"{self._fix}; nothing was imported",
        )


def number(text: object) -> float:
    """Read a number of seconds or crotchets; raises ValueError with what it is instead."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError(f"{text!r} is not a number")
    if isinstance(text, str) and not _is_plain(text.strip()):
        hint = (
            ", whose decimal point is a comma" if _is_plain(text.strip().replace(",", ".")) else ""
        )
        raise ValueError(f"{text!r} is not a number{hint}")
    try:
        value = float(text)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number")
    return value


def _is_plain(text: str) -> bool:
    """Whether a number is written with ASCII digits, a point and an exponent at most."""
    return bool(text) and set(text) <= set("0123456789.+-eE") and _is_float(text)


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def pairs_of(
    track: str, occurrences: Iterable[Occurrence]
) -> tuple[list[AnnotatedPair], list[str]]:
    """Make pairs of patterns: the first occurrence is the motif, the later ones return it.

    An occurrence that begins before the first has ended sounds together with it, in another voice
    for example, and is no return. Of occurrences that begin together the longest counts. Returns
    the pairs, and remarks on what was left out.
    """
    by_pattern: dict[str, list[Occurrence]] = {}
    for occurrence in occurrences:
        by_pattern.setdefault(occurrence.pattern, []).append(occurrence)
    pairs, beside, alone = [], 0, 0
    for pattern, rows in by_pattern.items():
        motif, *later = _apart(rows)
        beside += len(rows) - 1 - len(later)
        alone += not later
        pairs += [
            AnnotatedPair(row.place, track, motif.span, row.span, note=f"pattern {pattern}")
            for row in later
        ]
    remarks = []
    if beside:
        remarks.append(
            f"{counted(beside, 'occurrence')} left out: sounding together with the "
            "pattern's first, or beginning together with another"
        )
    if alone:
        remarks.append(f"{counted(alone, 'pattern')} without a later occurrence left out")
    return pairs, remarks


def _apart(rows: Sequence[Occurrence]) -> list[Occurrence]:
    """The first occurrence and those after it, one of each start."""
    longest: dict[float, Occurrence] = {}
    for row in sorted(rows, key=lambda row: (row.span[0], -row.span[1])):
        longest.setdefault(row.span[0], row)
    first, *rest = longest.values()
    return [first, *(row for row in rest if row.span[0] >= first.span[1])]


def unknown_keys(given: Iterable[str], known: Mapping[str, object] | Sequence[str]) -> list[str]:
    """Names that are not known, in order."""
    return [name for name in given if name not in known]
