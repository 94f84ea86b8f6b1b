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


def target(
    instants: Array, events: Events, horizon: Horizon, *, end: float | None
) -> tuple[Array, NDArray[np.bool_]]:
    """y(t), the strength of the strongest recurrence in the horizon, 0 where there is none.

    ``instants`` [n] are seconds of audio that rows can know (``Timing.now``). Returns y [n] and
    where it is known [n]: where the horizon reaches past ``end``, the seconds of audio that were
    searched for recurrences, it is not. ``end`` None says that the piece is over there and nothing
    follows. Raises ProbeError for NaN, and for a recurrence without strength.
    """
    _refuse_unknown(instants, events, end)
    if len(events.strengths) and not (events.strengths > 0).all():
        raise ProbeError(
            "a verified recurrence without strength would count as none",
            found=f"strength {events.strengths.min():g}",
            expected="strengths above 0",
        )
    ahead = events.onsets[np.newaxis] - instants[:, np.newaxis]
    inside = (ahead > horizon.after) & (ahead <= horizon.until)
    strongest = np.where(inside, events.strengths, 0.0).max(axis=1, initial=0.0)
    known = np.full(len(instants), True) if end is None else instants + horizon.until <= end
    return strongest, known


def _refuse_unknown(instants: Array, events: Events, end: float | None) -> None:
    given = (instants, events.onsets, events.strengths, np.array([0.0 if end is None else end]))
    shapes = [np.shape(values) for values in given]
    missing = sum(int((~np.isfinite(values)).sum()) for values in given)
    if missing or any(len(shape) != 1 for shape in shapes) or shapes[1] != shapes[2]:
        raise ProbeError(
            "instants and events must be finite, with an onset for each strength",
            found=f"shapes {shapes[:3]}, {missing} not finite",
            expected="instants [n], onsets [k] and strengths [k]",
        )


def known_tracks(
    tracks: Sequence[str], coverage: Iterable[Coverage], *, exploratory: bool
) -> list[str]:
    """Return the tracks whose recurrences are all known; raises ProbeError when there are none.

    With proposals pending, or in a track that nobody listened to because nothing was proposed, a
    row without a label is not a row without a recurrence. ``exploratory``
    admits such tracks too; whatever is made of them must say so.
    """
    complete = {row.track_id: row.complete for row in coverage}
    unknown = [track for track in tracks if track not in complete]
    if unknown:
        raise ProbeError(
            "the labels say nothing of some tracks",
            found=f"{len(unknown)} of {len(tracks)}, {unknown[0]} among them",
            fix="run `dvc repro labels`",
        )
    chosen = [track for track in tracks if exploratory or complete[track]]
    if not chosen:
        raise ProbeError(
            "no track's recurrences are all verified",
            found=f"proposals pending, or none made, on each of {counted(len(tracks), 'track')}",
            expected="tracks on which every proposal is decided",
            fix="decide with `leitmotif review`, or set exploratory: true, which marks all results",
        )
    return chosen
