"""Where the windows of a pair and a stretch may lie, and which pair lies there already."""

from collections.abc import Iterable
from typing import NoReturn

from leitmotif.review.clips import CONTEXT_SECONDS
from leitmotif.review.failures import RefusedError
from leitmotif.review.known import searched
from leitmotif.review.queue import QueueItem
from leitmotif.review.stretches import Stretch, overlap
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack

SHORTEST_WINDOW_SECONDS = 0.1
SHORTEST_STRETCH_SECONDS = 1.0
NEARLY_EQUAL = 0.5
"""Intersection over union, of the motifs and of the recurrences, from which two pairs are one."""


def check_moved(name: str, window: Span, proposed: Span, sample_rate: int) -> None:
    """Refuse a window that is too short or was moved out of its clip."""
    reach = round(CONTEXT_SECONDS * sample_rate)
    first, last = proposed.start_sample - reach, _end(proposed) + reach
    if window.start_sample < first or _end(window) > last:
        raise RefusedError(
            f"the {name} was moved too far",
            found=f"samples {window.start_sample} to {_end(window)}",
            expected=f"within samples {first} to {last}, {CONTEXT_SECONDS:g} s around the proposal",
        )
    _check_length(name, window, SHORTEST_WINDOW_SECONDS, sample_rate)


def check_added(track: ManifestTrack, motif: Span, recurrence: Span, sample_rate: int) -> None:
    """Refuse a pair that cannot be one: as ``check_windows``, and where nothing is searched."""
    check_windows(track, motif, recurrence, sample_rate)
    places = searched(track)
    if not any(overlap(place, recurrence) == recurrence.samples for place in places):
        raise RefusedError(
            "the recurrence does not lie within a section that is searched",
            found=_seconds(recurrence, sample_rate),
            expected=", or ".join(_seconds(place, sample_rate) for place in places),
        )


def check_windows(track: ManifestTrack, motif: Span, recurrence: Span, sample_rate: int) -> None:
    """Refuse a pair that is too short, overlaps or ends after the recording."""

    def refuse(what: str, window: Span, expected: str) -> NoReturn:
        raise RefusedError(what, found=_seconds(window, sample_rate), expected=expected)

    for name, window in (("motif", motif), ("recurrence", recurrence)):
        _check_length(name, window, SHORTEST_WINDOW_SECONDS, sample_rate)
        if _end(window) > track.seconds * sample_rate:
            refuse(
                f"the {name} ends after the recording",
                window,
                f"an end at {track.seconds:.2f} s at the latest",
            )
    if recurrence.start_sample < _end(motif):
        refuse(
            "the recurrence begins before the motif has ended",
            recurrence,
            f"a recurrence that begins at {_end(motif) / sample_rate:.2f} s or later",
        )


def check_stretch(stretch: Stretch, heard: Span) -> None:
    """Refuse a part of a stretch that is too short or reaches beyond it."""
    if overlap(stretch.span, heard) < heard.samples:
        raise RefusedError(
            "what was listened to reaches beyond the stretch",
            found=_seconds(heard, stretch.sample_rate),
            expected=_seconds(stretch.span, stretch.sample_rate),
        )
    shortest = min(SHORTEST_STRETCH_SECONDS, stretch.span.samples / stretch.sample_rate)
    _check_length("part of the stretch", heard, shortest, stretch.sample_rate)


def nearest(motif: Span, recurrence: Span, items: Iterable[QueueItem]) -> QueueItem | None:
    """Return the item of a track that has nearly these windows, if there is one."""

    def likeness(item: QueueItem) -> float:
        return min(_shared(item.motif, motif), _shared(item.recurrence, recurrence))

    best = max(items, key=likeness, default=None)
    return best if best is not None and likeness(best) >= NEARLY_EQUAL else None


def _check_length(name: str, window: Span, shortest: float, sample_rate: int) -> None:
    if window.samples < shortest * sample_rate:
        raise RefusedError(
            f"the {name} is too short",
            found=f"{window.samples / sample_rate:.3f} s",
            expected=f"at least {shortest:g} s",
        )


def _shared(first: Span, second: Span) -> float:
    """Intersection over union of two spans."""
    common = overlap(first, second)
    return common / (first.samples + second.samples - common)


def _end(span: Span) -> int:
    return span.start_sample + span.samples


def _seconds(span: Span, sample_rate: int) -> str:
    return f"{span.start_sample / sample_rate:.2f} to {_end(span) / sample_rate:.2f} s"
