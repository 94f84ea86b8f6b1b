"""Annotations of a whole recording, for a track that is an excerpt of it.

An alignment says which second of the annotations is which second of the track. One point moves all
times, and two stretch them too, as another tape speed or a steady tempo does. Pairs with a window
outside the track are left out. A motif that sounds before the excerpt is not heard in it: the first
of its returns that is takes its place.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from leitmotif.errors import ReviewError, counted
from leitmotif.review.importing.annotations import AnnotatedPair, Annotations, Seconds, number

SLACK_SECONDS = 0.01
"""A window may reach this far past the excerpt: files of annotations round."""
_LEAST_SCALE, _MOST_SCALE = 0.5, 2.0
_DURATION_SLACK = 1.0
_EXPECTED = "--align ANNOTATED=TRACK, seconds of both, once or twice, such as --align 62.5=0"


@dataclass(frozen=True)
class Alignment:
    """Second ``s`` of the annotations is second ``scale * s + shift`` of the track."""

    scale: float
    shift: float
    text: str
    """As it was typed."""

    def __call__(self, seconds: float) -> float:
        """Second of the track."""
        return self.scale * seconds + self.shift

    def annotated(self, seconds: float) -> float:
        """Second of the annotations at a second of the track."""
        return (seconds - self.shift) / self.scale

    def check_within(self, duration: float, seconds: float) -> None:
        """Raise ReviewError if a track of ``seconds`` is no excerpt of what lasts ``duration``."""
        first, last = self.annotated(0.0), self.annotated(seconds)
        if first < -_DURATION_SLACK or last > duration + _DURATION_SLACK:
            raise ReviewError(
                f"by --align {self.text} the track is no excerpt of what was annotated",
                found=f"it would be {first:.2f} to {last:.2f} s of it",
                expected=f"within 0 to {duration:.2f} s, which the file says that it lasts",
                fix="correct --align; nothing was imported",
            )


def alignment_of(points: Sequence[str]) -> Alignment | None:
    """Read one or two points ``ANNOTATED=TRACK``; None without any. Raises ReviewError.

    >>> alignment_of(["62.5=0"])(70.0)
    7.5
    """
    if not points:
        return None
    text = ", ".join(points)
    try:
        (first, at_first), *others = [_point(point) for point in points]
        if not others:
            return Alignment(1.0, at_first - first, text)
        if len(others) > 1:
            raise ValueError(f"{len(points)} points, where two say all")
        second, at_second = others[0]
        if first == second:
            raise ValueError("both points are of one second of the annotations")
    except ValueError as error:
        raise ReviewError(
            "this is no alignment", found=f"--align {text}: {error}", expected=_EXPECTED
        ) from None
    scale = (at_second - at_first) / (second - first)
    if not _LEAST_SCALE <= scale <= _MOST_SCALE:
        raise ReviewError(
            "this is no alignment of one performance",
            found=f"--align {text}: one second of the annotations is {scale:g} s of the track",
            expected=f"{_LEAST_SCALE:g} to {_MOST_SCALE:g} s",
            fix="correct the points; for a score in crotchets use --tempo-map",
        )
    return Alignment(scale, at_first - scale * first, text)


def _point(text: str) -> Seconds:
    annotated, sign, track = text.partition("=")
    if not sign:
        raise ValueError(f"{text!r} has no =")
    return number(annotated), number(track)


def excerpt(annotations: Annotations, alignment: Alignment, seconds: float) -> Annotations:
    """The annotations of the excerpt, a track of ``seconds``, in its own time.

    Raises ReviewError for annotations of several tracks, and for an excerpt that does not overlap
    with what was annotated.
    """
    if len(annotations.tracks) != 1:
        raise ReviewError(
            "--align is of one track",
            found=f"the file names {counted(len(annotations.tracks), 'track')}",
            expected="a file for one track; --track names it where the file has no column track",
        )
    pairs = [_moved(pair, alignment) for pair in annotations.pairs]
    _check_overlap(pairs, alignment, seconds)
    groups: dict[Seconds, list[AnnotatedPair]] = {}
    for pair in pairs:
        groups.setdefault(pair.motif, []).append(pair)
    kept, moved, cut = [], 0, []
    for motif, rows in groups.items():
        inside = [row for row in rows if _is_inside(row.recurrence, seconds)]
        cut += [row for row in rows if _is_cut(row, seconds)]
        if _is_inside(motif, seconds):
            kept += inside
        else:
            again = _among_themselves(inside)
            moved += len(again)
            kept += again
    until = min((row.recurrence[0] for row in cut), default=None)
    remarks = _remarks(pairs, kept, moved, cut, alignment, seconds)
    return Annotations(kept, annotations.tracks, [*annotations.remarks, *remarks], until)


def _moved(pair: AnnotatedPair, alignment: Alignment) -> AnnotatedPair:
    motif, recurrence = (
        (alignment(start), alignment(end)) for start, end in (pair.motif, pair.recurrence)
    )
    return replace(pair, motif=motif, recurrence=recurrence)


def _check_overlap(pairs: Sequence[AnnotatedPair], alignment: Alignment, seconds: float) -> None:
    ends = [end for pair in pairs for end in (*pair.motif, *pair.recurrence)]
    if ends and (max(ends) <= 0 or min(ends) >= seconds):
        raise ReviewError(
            f"by --align {alignment.text} nothing that was annotated lies in the track",
            found=f"windows from {min(ends):.2f} to {max(ends):.2f} s of it",
            expected=f"some between 0 and {seconds:.2f} s",
            fix="correct --align; nothing was imported",
        )


def _is_inside(window: Seconds, seconds: float) -> bool:
    """Windows that are none count as inside, so that they are refused with their place."""
    start, end = window
    return end <= start or (start >= -SLACK_SECONDS and end <= seconds + SLACK_SECONDS)


def _is_cut(pair: AnnotatedPair, seconds: float) -> bool:
    """Whether something may return that begins in the excerpt and does not end in it."""
    start, end = pair.recurrence
    returns = pair.verdict in ("positive", "ambiguous")
    return returns and 0 <= start < seconds and end > seconds + SLACK_SECONDS


def _among_themselves(rows: Iterable[AnnotatedPair]) -> list[AnnotatedPair]:
    """Returns of one motif that is not heard: the first of them is the motif of the later ones."""
    returns = sorted(
        (row for row in rows if row.verdict == "positive"), key=lambda row: row.recurrence
    )
    if not returns:
        return []
    first, *later = returns
    return [
        replace(row, motif=first.recurrence, transposition=_difference(first, row))
        for row in later
        if row.recurrence[0] >= first.recurrence[1]
    ]


def _difference(first: AnnotatedPair, second: AnnotatedPair) -> int | None:
    if first.transposition is None or second.transposition is None:
        return None
    return second.transposition - first.transposition


def _remarks(
    pairs: Sequence[AnnotatedPair],
    kept: Sequence[AnnotatedPair],
    moved: int,
    cut: Sequence[AnnotatedPair],
    alignment: Alignment,
    seconds: float,
) -> list[str]:
    remarks = []
    if outside := len(pairs) - len(kept):
        first, last = alignment.annotated(0.0), alignment.annotated(seconds)
        remarks.append(
            f"{outside} of {counted(len(pairs), 'pair')} left out: a window lies outside the "
            f"excerpt, {first:.2f} to {last:.2f} s of the annotations"
        )
    if moved:
        remarks.append(
            f"{counted(moved, 'pair')} with the motif's first return in the excerpt as the motif, "
            "which sounds before it"
        )
    if cut:
        begins = math.floor(100 * min(row.recurrence[0] for row in cut)) / 100
        remarks.append(
            f"returns that begin in the excerpt and end after it, left out: {len(cut)}; from "
            f"{begins:.2f} s on it stays unknown what returns"
        )
    return remarks
