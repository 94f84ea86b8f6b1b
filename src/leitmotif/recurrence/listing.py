"""Proposals for any audio files, as a table for users and other tools."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from leitmotif.audio.decode import load_audio
from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.errors import LeitmotifError, TargetError
from leitmotif.files import read_table
from leitmotif.recurrence.engine import Suggestion, accepted, suggest_in_audio
from leitmotif.recurrence.settings import SearchSettings
from leitmotif.tables.base import Table
from leitmotif.targets import check_file

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
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


def audio_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files named, and for a folder every audio file in it, at any depth.

    Raises LeitmotifError for a path that does not exist and a folder without audio.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
            if not inside:
                raise LeitmotifError(
                    f"no audio in {path}", expected=f"files ending in {', '.join(SUFFIXES)}"
                )
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise LeitmotifError(f"{path} does not exist", expected="an audio file or a folder")
    return list(dict.fromkeys(found))


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
    return [file.stem if counts[file.stem] == 1 else file.as_posix() for file in files]


def listed(
    path: Path,
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
    to hold any. Raises AudioError for a file that is of no use.
    """
    audio = load_audio(path, sample_rate=SAMPLE_RATE)
    seconds = len(audio.samples) / SAMPLE_RATE
    if seconds < search.least_seconds:
        notice(
            f"{track} has {seconds:.1f} s, too little for a motif and its recurrence: "
            f"{search.least_seconds:.1f} s"
        )
    found = suggest_in_audio(audio.samples, SAMPLE_RATE, search)
    good = accepted(found, p=p, false_per_minute=false_per_minute)
    return [_row(track, one, one in good) for one in found if everything or one in good]


def _row(track: str, one: Suggestion, good: bool) -> Listed:
    return Listed(
        track=track,
        motif_start=round(one.motif_start, 3),
        motif_end=round(one.motif_end, 3),
        recurrence_start=round(one.recurrence_start, 3),
        recurrence_end=round(one.recurrence_end, 3),
        transposition=one.transposition,
        score=round(one.score, 6),
        p=float(f"{one.p:.6g}"),
        texture=round(one.texture, 6),
        accepted=good,
    )
