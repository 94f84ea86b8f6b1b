"""Where in a track every onset is known: what was listened to, less pairs that are open."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import Listening
from leitmotif.timing.windows import SLACK_SECONDS, WINDOW_RATE


def searched(track: ManifestTrack) -> list[Span]:
    """Return the sections of a track that are searched for motifs, at SAMPLE_RATE."""
    unit = SAMPLE_RATE // WINDOW_RATE
    return [
        Span(start_sample=window.start_frame * unit, samples=window.frames * unit)
        for window in track.windows
    ]


def known_spans(
    listenings: Iterable[Listening], open_recurrences: Iterable[Span], *, min_reviewers: int
) -> list[Span]:
    """Where every onset of one track is known, ascending and apart, at SAMPLE_RATE.

    A sample is known if at least ``min_reviewers`` people listened to a stretch around it, if all
    of them say that nothing else returns there, and if it is in none of ``open_recurrences``: the
    recurrence windows of pairs on which nothing is agreed, and which may or may not be returns.

    Parameters
    ----------
    listenings : those of the track that stand.
    open_recurrences : in samples at SAMPLE_RATE.
    min_reviewers : listeners that a stretch needs.
    """
    heard = [
        (listening, at_rate(listening.stretch, listening.sample_rate, SAMPLE_RATE))
        for listening in listenings
    ]
    open_spans = list(open_recurrences)
    edges = {edge for span in [*(span for _, span in heard), *open_spans] for edge in _ends(span)}
    known: list[tuple[int, int]] = []
    for start, end in pairwise(sorted(edges)):
        said = [listening for listening, span in heard if _holds(span, start, end)]
        listeners = {listening.reviewer for listening in said}
        if (
            len(listeners) < min_reviewers
            or any(listening.verdict != "nothing_else" for listening in said)
            or any(_holds(span, start, end) for span in open_spans)
        ):
            continue
        joins = bool(known) and known[-1][1] == start
        known.append((known.pop()[0] if joins else start, end))
    return [_span(start, end) for start, end in known]


def at_rate(span: Span, rate: int, other: int) -> Span:
    """A span in samples at ``rate``, in samples at ``other``."""
    start, end = _ends(span)
    return _span(round(start * other / rate), round(end * other / rate))


def is_complete(track: ManifestTrack, known: Sequence[Span]) -> bool:
    """Whether all that is searched of a track is known; ``known`` is at SAMPLE_RATE."""
    slack = round(SLACK_SECONDS * SAMPLE_RATE)
    end_of_track = int(track.seconds * SAMPLE_RATE)
    for window in searched(track):
        start, end = _ends(window)
        if end >= end_of_track - slack:
            end = max(start + 1, min(end, end_of_track) - slack)
        if not any(_holds(span, start, end) for span in known):
            return False
    return True


def _holds(span: Span, start: int, end: int) -> bool:
    return span.start_sample <= start and end <= span.start_sample + span.samples


def _ends(span: Span) -> tuple[int, int]:
    return span.start_sample, span.start_sample + span.samples


def _span(start: int, end: int) -> Span:
    return Span(start_sample=start, samples=max(1, end - start))
