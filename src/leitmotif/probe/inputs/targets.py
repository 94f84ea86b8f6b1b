"""Targets: what returns, and how strongly, between two distances ahead of now.

A model's row t has read the codes of frames 0 to t - 1, and the codec's encoder may hear some audio
past a frame's end: 74 ms with MusicGen's EnCodec. **Now** is the last instant of audio of which the
row can know (``leitmotif.timing.frames.Timing.now``): with MusicGen t / 50 s + 74 ms. Horizons
count from there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leitmotif.claims import Horizon
from leitmotif.errors import ProbeError, counted
from leitmotif.tables.labels import Coverage, Label

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Events:
    """The verified recurrences of one track, in seconds from the start of the model's context."""

    onsets: Array
    strengths: Array


def events_of(labels: Iterable[Label], track_id: str, *, start_seconds: float = 0.0) -> Events:
    """Collect a track's recurrences; ``start_seconds`` is where the context begins in the track."""
    of_track = [label for label in labels if label.track_id == track_id]
    onsets = [
        label.recurrence.start_sample / label.sample_rate - start_seconds for label in of_track
    ]
    return Events(np.array(onsets, float), np.array([label.strength for label in of_track], float))


Spans = Sequence[tuple[float, float]]
"""Starts and ends in seconds."""


def target(
    instants: Array, events: Events, horizon: Horizon, *, known: Spans | None
) -> tuple[Array, NDArray[np.bool_]]:
    """y(t), the strength of the strongest recurrence in the horizon, 0 where there is none.

    ``instants`` [n] are seconds of audio that rows can know (``Timing.now``). Returns y [n] and
    where it is known [n]: where all of the horizon lies in one of the spans ``known``, in which
    every onset of a recurrence is known, in seconds from the start of the context. ``known`` None
    says that everything is, and that nothing follows the piece. Raises ProbeError for NaN, and for
    a recurrence without strength.
    """
    spans = np.asarray([] if known is None else known, float).reshape(-1, 2)
    _refuse_unknown(instants, events, spans)
    if len(events.strengths) and not (events.strengths > 0).all():
        raise ProbeError(
            "a verified recurrence without strength would count as none",
            found=f"strength {events.strengths.min():g}",
            expected="strengths above 0",
        )
    ahead = events.onsets[np.newaxis] - instants[:, np.newaxis]
    inside = (ahead > horizon.after) & (ahead <= horizon.until)
    strongest = np.where(inside, events.strengths, 0.0).max(axis=1, initial=0.0)
    # Never of what returns: a row with a known recurrence and an unknown rest would be used, its
    # like without one would not, and the rows that are left would be chosen by their outcome.
    return strongest, within(instants + horizon.after, instants + horizon.until, known)


def _refuse_unknown(instants: Array, events: Events, spans: Array) -> None:
    given = (instants, events.onsets, events.strengths, spans.ravel())
    shapes = [np.shape(values) for values in given]
    missing = sum(int((~np.isfinite(values)).sum()) for values in given)
    if missing or any(len(shape) != 1 for shape in shapes) or shapes[1] != shapes[2]:
        raise ProbeError(
            "instants and events must be finite, with an onset for each strength",
            found=f"shapes {shapes[:3]}, {missing} not finite",
            expected="instants [n], onsets [k] and strengths [k]",
        )


def known_spans(covered: Coverage, searched_seconds: float, *, exploratory: bool) -> Spans | None:
    """Where every onset of a track is known, in its seconds; None is everywhere.

    ``exploratory`` takes the ``searched_seconds`` from its start on for known.
    """
    if covered.source == "score":
        return None
    spans = [
        (
            span.start_sample / covered.sample_rate,
            (span.start_sample + span.samples) / covered.sample_rate,
        )
        for span in covered.known
    ]
    return [*spans, (0.0, searched_seconds)] if exploratory else spans


def within(first: Array, last: Array, known: Spans | None) -> NDArray[np.bool_]:
    """Whether all from ``first`` to ``last`` lies in one of the spans, for arrays of one shape."""
    if known is None:
        return np.full(np.shape(first), True)
    inside = np.full(np.shape(first), False)
    for start, end in known:
        inside |= (first >= start) & (last <= end)
    return inside


def known_tracks(
    tracks: Sequence[str], coverage: Iterable[Coverage], *, exploratory: bool
) -> list[str]:
    """Return the tracks of which anything is known; raises ProbeError when there are none.

    Where nobody listened, a row without a label is not a row without a recurrence.
    ``exploratory`` admits all tracks; whatever is made of them must say so.
    """
    rows = {row.track_id: row for row in coverage}
    unknown = [track for track in tracks if track not in rows]
    if unknown:
        raise ProbeError(
            "the labels say nothing of some tracks",
            found=f"{len(unknown)} of {len(tracks)}, {unknown[0]} among them",
            fix="run `dvc repro labels`",
        )
    chosen = [track for track in tracks if exploratory or rows[track].known]
    if not chosen:
        pending = sum(rows[track].pending for track in tracks)
        raise ProbeError(
            "of no track it is known where nothing returns",
            found=f"{counted(len(tracks), 'track')}, {counted(pending, 'pair')} pending",
            expected="stretches that somebody listened to, with all their pairs decided",
            fix="decide and listen with `leitmotif review`, or set exploratory: true, which marks "
            "all results",
        )
    return chosen
