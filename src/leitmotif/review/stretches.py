"""The stretches of recordings in which somebody has to listen for what nobody proposed.

A window of the manifest is a stretch. What lies outside the windows is not searched by anybody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.review.known import searched
from leitmotif.review.queue import QueueItem, drawn
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import Decision, Verdict, stretch_id

LONGEST_SOUND_SECONDS = 900.0
"""Sound that comes with a stretch: all that is searched of most recordings."""


@dataclass(frozen=True)
class Stretch:
    """A window of a track; "does anything else return here?" is asked of it."""

    pair: str
    """``stretch_id``, by which the question is known in logs, as a pair is by ``pair_id``."""
    track: ManifestTrack
    span: Span
    sample_rate: int

    @property
    def end(self) -> int:
        """First sample after it."""
        return self.span.start_sample + self.span.samples


@dataclass(frozen=True)
class PairHere:
    """A pair that sounds in a stretch, as one reviewer may know of it."""

    pair: str
    motif: Span
    recurrence: Span
    transposition: int
    verdict: Verdict | None
    """The reviewer's own; None while they have not decided."""
    queued: bool
    """Whether it can be opened: today's queue holds it."""

    @classmethod
    def of(cls, pair: QueueItem | Decision, verdict: Verdict | None, *, queued: bool) -> Self:
        """Take the windows of an item, or those of the reviewer's decision on it."""
        windows = (pair.pair, pair.motif, pair.recurrence)
        return cls(*windows, pair.transposition, verdict, queued)


def stretches(tracks: Iterable[ManifestTrack]) -> dict[str, Stretch]:
    """Make the stretches of all tracks, by their ids."""
    made = (
        Stretch(stretch_id(track.sha256, SAMPLE_RATE, span), track, span, SAMPLE_RATE)
        for track in tracks
        for span in searched(track)
    )
    return {stretch.pair: stretch for stretch in made}


def in_order(
    offered: Iterable[Stretch],
    proposed: Mapping[str, int],
    pending: Mapping[str, int],
    reviewer: str,
) -> list[str]:
    """Sort stretches for a reviewer; those of a track stay together, from its start to its end.

    ``proposed`` and ``pending`` count each track's pairs, and those that the reviewer has still to
    decide. Tracks in which nothing was proposed come first: of them nothing is known. Then those
    whose pairs are all decided. What remains is known only once its pairs are decided too.
    """

    def key(stretch: Stretch) -> tuple[int, bytes, int]:
        name = stretch.track.track_id
        place = 2 if pending.get(name) else 1 if proposed.get(name) else 0
        return place, drawn(reviewer, name), stretch.span.start_sample

    return [stretch.pair for stretch in sorted(offered, key=key)]


def sound_of(stretch: Stretch) -> Span:
    """Return the section that can be heard with a stretch.

    It is all that is searched of the track, for a motif may lie earlier than the stretch; of long
    recordings what ends with the stretch.
    """
    spans = searched(stretch.track)
    first = min(span.start_sample for span in spans)
    last = max(span.start_sample + span.samples for span in spans)
    longest = round(LONGEST_SOUND_SECONDS * stretch.sample_rate)
    end = min(last, max(stretch.end, first + longest))
    start = min(stretch.span.start_sample, max(first, end - longest))
    return Span(start_sample=start, samples=end - start)


def overlap(first: Span, second: Span) -> int:
    """Count the samples that two spans have in common."""
    end = min(first.start_sample + first.samples, second.start_sample + second.samples)
    return max(0, end - max(first.start_sample, second.start_sample))
