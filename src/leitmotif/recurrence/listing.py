"""Proposals for any audio files, as a table for users and other tools."""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from leitmotif.audio.decode import check_audio, load_audio
from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.audio.reading.source import named_failure
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

    Raises LeitmotifError for a path that does not exist and a folder without audio.
    """
    files: dict[Path, FoundFile] = {}
    for path in paths:
        if path.is_dir():
            inside = find_recordings(path)
            if not inside:
                raise LeitmotifError(
                    f"no audio in {printable(str(path))}",
                    expected=f"files ending in {', '.join(sorted(SUFFIXES))}",
                )
            for file in inside:
                files.setdefault(file.path, file)
        elif os.path.lexists(path):
            files.setdefault(path, looked_at(path, path.as_posix()))
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
    """Name each file by its stem, or by its path where two share a stem."""
    counts = Counter(file.stem for file in files)
    return [printable(file.stem if counts[file.stem] == 1 else file.as_posix()) for file in files]


def listed(
    file: FoundFile,
    track: str,
    search: SearchSettings,
    *,
    p: float = P,
    false_per_minute: float = FALSE_PER_MINUTE,
    everything: bool = False,
    notice: Callable[[str], None] = lambda text: None,
) -> list[Listed]:
    """Propose the recurrences of a file, best first.

    ``everything`` gives what is not accepted, too. ``notice`` is told of a file that is too short
    to hold any, and of what is unclear of its length. Raises AudioError for a file that is of no
    use, whatever the cause.
    """
    if file.reason is not None:
        raise AudioError(
            f"{printable(str(file.path))} cannot be used", reason=file.reason, found=file.detail
        )
    with named_failure(file.path):
        suggestions = _searched(file.path, track, search, notice)
    good = accepted(suggestions, p=p, false_per_minute=false_per_minute)
    return [
        _row(track, suggestion, suggestion in good)
        for suggestion in suggestions
        if everything or suggestion in good
    ]


def _searched(
    path: Path, track: str, search: SearchSettings, notice: Callable[[str], None]
) -> list[Suggestion]:
    audio = load_audio(path, sample_rate=SAMPLE_RATE)
    check_audio(audio, min_seconds=0, silence_dbfs=-math.inf, name=str(path))
    if audio.remark is not None:
        notice(f"{track}: {audio.remark.reason.replace('_', ' ')}, {audio.remark.detail}")
    seconds = len(audio.samples) / SAMPLE_RATE
    if seconds < search.least_seconds:
        notice(
            f"{track} has {seconds:.1f} s, too little for a motif and its recurrence: "
            f"{search.least_seconds:.1f} s"
        )
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
