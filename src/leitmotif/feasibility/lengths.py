"""Which tracks have rows in the probes, found by the probes' own rules from lengths and labels."""

from collections.abc import Iterable, Sequence

import numpy as np

from leitmotif.audio.artifacts import SourceArtifacts
from leitmotif.audio.features import HOP, SAMPLE_RATE, Features
from leitmotif.claims import Claims, Horizon
from leitmotif.config import ProbesParams
from leitmotif.errors import LeitmotifError, ProbeError
from leitmotif.probe.inputs.controls import TrackSound
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.inputs.rows import Rows, gather
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Coverage, Label
from leitmotif.timing.frames import Timing, whole_frames
from leitmotif.timing.windows import end_seconds

_FRAME_RATE = SAMPLE_RATE / HOP
_NO_CONTROLS = ControlSettings(controls=[], knots=0, interactions=0)
_UNHEARD = SourceArtifacts(
    track_id="unheard",
    sample_rate=SAMPLE_RATE,
    channels=1,
    bit_rate=0.0,
    cutoff_hz=SAMPLE_RATE / 2,
    peak=0.0,
    loudness=0.0,
    clipped=0.0,
    silence=0.0,
    dc_offset=0.0,
)


def rows_of(
    settings: ProbesParams,
    tracks: Sequence[ManifestTrack],
    labels: Sequence[Label],
    coverage: Sequence[Coverage],
    *,
    timing: Timing,
    horizons: Sequence[Horizon] | None = None,
) -> Rows | None:
    """The rows that the probes would use, without controls; None where there are none.

    Rows and targets depend on the lengths of the tracks alone, so silence of these lengths stands
    for the sound. ``horizons`` are those of the settings by default.
    """
    sounds = {track.track_id: _silence(track) for track in tracks}
    try:
        return gather(
            tracks,
            sounds,
            labels,
            coverage,
            timing=timing,
            horizons=horizons or Claims.of(settings).horizons,
            settings=_NO_CONTROLS,
            start_seconds=settings.start_seconds,
            stride=settings.stride,
            exploratory=settings.exploratory,
        )
    except LeitmotifError:
        return None


def usable_tracks(rows: Rows | None, horizons: Sequence[Horizon]) -> dict[str, int]:
    """How many tracks have rows that can tell something at each horizon, by its name."""
    usable = dict.fromkeys((horizon.name for horizon in horizons), 0)
    for number, horizon in enumerate(horizons):
        try:
            if rows is not None:
                usable[horizon.name] = len(rows.sample(horizons, number).tracks)
        except ProbeError:  # the target is the same in all tracks
            continue
    return usable


def long_enough(
    settings: ProbesParams,
    tracks: Sequence[ManifestTrack],
    source: str,
    *,
    timing: Timing,
    horizons: Sequence[Horizon],
) -> int:
    """How many tracks would have rows at all of these horizons if all of them were known.

    ``source`` is that of the labels: a score knows that nothing returns after a piece's end.
    """
    known = [known_throughout(track, source) for track in tracks]
    rows = rows_of(settings, tracks, [], known, timing=timing, horizons=horizons)
    return 0 if rows is None else len(_names(rows.groups))


def seconds_needed(settings: ProbesParams, horizons: Iterable[Horizon], timing: Timing) -> float:
    """A track that people listened to has a row if its windows end no earlier than this."""
    furthest = max(horizon.until for horizon in horizons)
    return settings.start_seconds + timing.hearing_seconds + furthest


def _names(groups: Iterable[str]) -> set[str]:
    return {str(name) for name in groups}


def known_throughout(track: ManifestTrack, source: str) -> Coverage:
    """What would be known of a track if everybody had listened to all of it."""
    seconds = min(track.seconds, end_seconds(track.windows))
    return Coverage.model_validate(
        {
            "track_id": track.track_id,
            "source": source,
            "labels": 0,
            "proposals": 1,
            "pending": 0,
            "known": [{"start_sample": 0, "samples": max(1, round(seconds * SAMPLE_RATE))}],
            "sample_rate": SAMPLE_RATE,
            "complete": True,
        }
    )


def _silence(track: ManifestTrack) -> TrackSound:
    seconds = min(track.seconds, end_seconds(track.windows))
    frames = whole_frames(seconds, _FRAME_RATE)
    # One number seen from every frame: no memory, however long the tracks are.
    silence = np.broadcast_to(np.float32(0), (frames,))
    features = Features(np.broadcast_to(np.float32(0), (12, frames)), silence, silence, 0.0)
    return TrackSound(features, _UNHEARD, _FRAME_RATE)
