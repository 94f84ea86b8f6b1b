"""Patterns in JAMS: notes of occurrences of patterns, in seconds, under the namespace pattern_jku.

An occurrence lasts from its first note's onset to its last note's end. The file is read as the JSON
that it is (docs/dependencies.md says why).

Humphrey, E. J., Salamon, J., Nieto, O., Forsyth, J., Bittner, R. M. & Bello, J. P. (2014). JAMS: a
JSON annotated music specification for reproducible MIR research. ISMIR.
"""

from pathlib import Path
from typing import Any

from leitmotif.errors import ReviewError
from leitmotif.files import read_json
from leitmotif.review.importing.annotations import (
    Annotations,
    Mistakes,
    Occurrence,
    number,
    pairs_of,
)
from leitmotif.review.importing.excerpt import Alignment

NAMESPACE = "pattern_jku"
FIX = "export the patterns of one annotator as JAMS 0.3"


def read_jams(
    path: Path, *, track: str, seconds: float | None, alignment: Alignment | None = None
) -> Annotations:
    """Read a recording's patterns.

    Parameters
    ----------
    path : of the file.
    track : of whose recording it is.
    seconds : of that recording; None if it is not known.
    alignment : of a recording that is an excerpt of what was annotated.

    Raises
    ------
    ReviewError
        That names the file, and the annotation in it, for another namespace, another recording's
        length, or what is no JAMS.
    """
    content = read_json(path, fix=FIX, error=ReviewError)
    annotation = _annotation(path, content)
    duration = _duration(path, content)
    if seconds is None or duration is None:
        pass  # nothing to compare
    elif alignment is not None:
        alignment.check_within(duration, seconds)
    elif abs(duration - seconds) > 1:
        raise ReviewError(
            f"{path} is of a recording of another length",
            found=f"{duration:g} s",
            expected=f"{seconds:.2f} s, as {track} has",
            fix="name its own track with --track; of an excerpt say with --align where it begins",
        )
    mistakes = Mistakes(path, "time, duration, and value with pattern_id and occurrence_id", FIX)
    spans: dict[tuple[str, str], tuple[float, float]] = {}
    places: dict[tuple[str, str], str] = {}
    for count, note in enumerate(annotation, start=1):
        place = f"note {count}"
        try:
            key, (start, end) = _note(note)
        except ValueError as error:
            mistakes.add(place, error)
            continue
        known = spans.get(key, (start, end))
        spans[key] = min(known[0], start), max(known[1], end)
        places.setdefault(key, place)
    mistakes.refuse()
    occurrences = [Occurrence(places[key], key[0], span) for key, span in spans.items()]
    pairs, remarks = pairs_of(track, occurrences)
    return Annotations(pairs, {track: "--track"}, remarks)


def _duration(path: Path, content: Any) -> float | None:
    """Seconds of what was annotated; None: the file does not say."""
    duration = _within(content, "file_metadata", "duration")
    try:
        return None if duration is None else number(duration)
    except ValueError as error:
        raise ReviewError(
            f"{path} has a duration that is none",
            found=f"file_metadata.duration: {error}",
            expected="seconds, or null",
            fix=FIX,
        ) from None


def _annotation(path: Path, content: Any) -> list[Any]:
    """The notes of the one annotation of patterns."""
    annotations = _within(content, "annotations")
    if not isinstance(annotations, list):
        raise ReviewError(f"{path} is no JAMS", expected="a list of annotations", fix=FIX)
    names = [str(_within(annotation, "namespace")) for annotation in annotations]
    chosen = [
        annotation for annotation, name in zip(annotations, names, strict=True) if name == NAMESPACE
    ]
    if len(chosen) != 1:
        raise ReviewError(
            f"{path} does not hold one annotation of patterns",
            found=f"the namespaces {', '.join(names) or 'none'}",
            expected=f"{NAMESPACE} once: no other namespace says which notes return",
            fix=FIX,
        )
    notes = _within(chosen[0], "data")
    if not isinstance(notes, list):
        raise ReviewError(
            f"{path}: the data of {NAMESPACE} is no list of notes",
            found=type(notes).__name__,
            expected="a list of objects with time, duration and value, as JAMS 0.3 has it",
            fix=FIX,
        )
    return notes


def _note(note: Any) -> tuple[tuple[str, str], tuple[float, float]]:
    """Pattern and occurrence of a note, and from when to when it sounds. Raises ValueError."""
    start, length = number(_within(note, "time")), number(_within(note, "duration"))
    if length < 0:
        raise ValueError(f"duration {length:g}")
    pattern, occurrence = (
        _id(_within(note, "value", key)) for key in ("pattern_id", "occurrence_id")
    )
    return (pattern, occurrence), (start, start + length)


def _id(value: object) -> str:
    """A number that names something, with all of its digits; 1, 1.0 and "1" are the same."""
    named = number(value)
    try:
        return str(int(str(value)))
    except ValueError:
        return str(int(named)) if named.is_integer() else str(named)


def _within(value: Any, *keys: str) -> Any:
    """What lies below these keys; None where there is no such thing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
