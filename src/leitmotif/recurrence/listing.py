"""Proposals for any audio files, as a table for users and other tools."""

import math
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field

from leitmotif.audio.decode import check_audio, load_audio
from leitmotif.audio.each import each_recording
from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.corpus.sources.finding import (
    SUFFIXES,
    FoundFile,
    find_recordings,
    looked_at,
    printable,
)
from leitmotif.errors import AudioError, LeitmotifError, TargetError
from leitmotif.files import read_table
from leitmotif.files.targets import check_file
from leitmotif.recurrence.proposals.engine import Suggestion, accepted, suggest_in_audio
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.tables.base import Table

P = 0.01
FALSE_PER_MINUTE = 0.2
"""Default thresholds of acceptance; see ``engine.accepted``."""

Seconds = Annotated[float, Field(ge=0)]


class Listed(Table):
    """A line of the output of `leitmotif propose`; times in seconds."""

    track: str
    """The file's name without its suffix, or its path if two files share a name."""
    motif_start: Seconds
    motif_end: Seconds
    recurrence_start: Seconds
    recurrence_end: Seconds
    transposition: int
    score: float
    p: float
    texture: float
    accepted: bool


def audio_files(paths: Iterable[Path]) -> list[FoundFile]:
    """Return the files named, and for a folder every recording in it (see ``find_recordings``).

    A file that is named twice, by whatever path, is there once, under the first name. Raises
    LeitmotifError for a path that does not exist and a folder without audio.
    """
    files: dict[str, FoundFile] = {}
    for path in paths:
        if path.is_dir():
            inside = find_recordings(path)
            if not inside:
                raise LeitmotifError(
                    f"no audio in {printable(str(path))}",
                    expected=f"files ending in {', '.join(sorted(SUFFIXES))}",
                )
            for file in inside:
                files.setdefault(os.path.realpath(file.path), file)
        elif os.path.lexists(path):
            files.setdefault(os.path.realpath(path), looked_at(path, path.as_posix()))
        else:
            raise LeitmotifError(
                f"{printable(str(path))} does not exist", expected="an audio file or a folder"
            )
    return list(files.values())


def check_out(out: Path, inputs: Iterable[Path], *, replace: bool = False) -> None:
    """Raise TargetError unless proposals for ``inputs`` can be written to the file ``out``.

    With ``replace``, ``out`` may be a file of proposals.
    """
    if out.suffix.lower() in SUFFIXES:
        raise TargetError(
            f"{out} has the name of a recording",
            expected="a name such as proposals.jsonl",
            fix="give the recordings first, then --out FILE.jsonl",
        )
    check_file(out, inputs=inputs, made=_is_listing, replace=replace)


def _is_listing(path: Path) -> bool:
    try:
        read_table(path, Listed)
    except LeitmotifError:
        return False
    return True


def track_names(files: Sequence[Path]) -> list[str]:
    """Name each file by its stem, or by its path where two stems look the same."""
    stems = [unicodedata.normalize("NFC", file.stem) for file in files]
    counts = Counter(stems)
    return [
        printable(file.stem if counts[stem] == 1 else file.as_posix())
        for file, stem in zip(files, stems, strict=True)
    ]


@dataclass(frozen=True)
class Listing:
    """What is proposed for one file."""

    rows: list[Listed]
    """The best first."""
    notes: list[str]
    """That the file is too short to hold any recurrence, and what is unclear of its length."""


@dataclass(frozen=True)
class ListingSettings:
    """How files are searched, and what is listed of them."""

    search: SearchSettings = field(default_factory=SearchSettings)
    p: float = P
    false_per_minute: float = FALSE_PER_MINUTE
    everything: bool = False
    """Whether to list also what is not accepted."""


def each_listed(
    files: Sequence[FoundFile], settings: ListingSettings
) -> Iterator[Listing | AudioError]:
    """Propose the recurrences of each file, in their order, side by side.

    A file that is of no use, whatever the cause, gives its error.
    """
    named = list(zip(files, track_names([file.path for file in files]), strict=True))
    return each_recording(partial(_listed, settings), named, path=_path)


def _path(named: tuple[FoundFile, str]) -> Path:
    return named[0].path


def _listed(settings: ListingSettings, named: tuple[FoundFile, str]) -> Listing:
    file, track = named
    if file.reason is not None:
        raise AudioError(
            f"{printable(str(file.path))} cannot be used", reason=file.reason, found=file.detail
        )
    notes: list[str] = []
    suggestions = _searched(file.path, track, settings.search, notes)
    good = accepted(suggestions, p=settings.p, false_per_minute=settings.false_per_minute)
    rows = [
        _row(track, suggestion, suggestion in good)
        for suggestion in suggestions
        if settings.everything or suggestion in good
    ]
    return Listing(rows, notes)


def _searched(path: Path, track: str, search: SearchSettings, notes: list[str]) -> list[Suggestion]:
    audio = load_audio(path, sample_rate=SAMPLE_RATE)
    check_audio(audio, min_seconds=0, silence_dbfs=-math.inf, name=str(path))
    if audio.remark is not None:
        notes.append(f"{track}: {audio.remark.reason.replace('_', ' ')}, {audio.remark.detail}")
    seconds = len(audio.samples) / SAMPLE_RATE
    if seconds < search.least_seconds:
        notes.append(
            f"{track} has {seconds:.1f} s, too little for a motif and its recurrence: "
            f"{search.least_seconds:.1f} s"
        )
        return []
    return suggest_in_audio(audio.samples, SAMPLE_RATE, search)


def _row(track: str, suggestion: Suggestion, good: bool) -> Listed:
    return Listed(
        track=track,
        motif_start=round(suggestion.motif_start, 3),
        motif_end=round(suggestion.motif_end, 3),
        recurrence_start=round(suggestion.recurrence_start, 3),
        recurrence_end=round(suggestion.recurrence_end, 3),
        transposition=suggestion.transposition,
        score=round(suggestion.score, 6),
        p=float(f"{suggestion.p:.6g}"),
        texture=round(suggestion.texture, 6),
        accepted=good,
    )
