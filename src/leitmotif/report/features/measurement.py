"""Measures the features of one autoencoder in two passes over the tracks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from leitmotif.claims import Horizon
from leitmotif.report.features.around import Around, Curves
from leitmotif.report.features.density import Densities, Density
from leitmotif.report.features.listening import Track, activity, read_sound
from leitmotif.report.features.moments import Moment, Moments
from leitmotif.report.features.places import ByPlace, Line, Places
from leitmotif.report.features.sounds import Clock, Link, Links


@dataclass(frozen=True)
class FeatureSurvey:
    """Measurements of one feature."""

    density: Density
    moments: Sequence[Moment]
    around: Around
    by_place: ByPlace
    raster: Sequence[Line]
    rows_a_column: int
    """Number of rows of a context in a column of the raster."""
    links: Sequence[Link]
    clock: float
    """Share of the activity's variance that the place in the context explains."""


def survey(
    numbers: Sequence[int],
    tracks: Sequence[Track],
    *,
    encoded: Path,
    features: Path,
    horizon: Horizon,
    ahead_seconds: float,
    seed: int,
    shown: Callable[[Iterable[Track]], Iterable[Track]] = iter,
) -> dict[int, FeatureSurvey]:
    """Measure features of one autoencoder.

    Parameters
    ----------
    numbers
        The features, ascending.
    tracks
        All tracks.
    encoded
        Folder with the encoded tracks of the autoencoder.
    features
        Folder with chroma, energy and onsets.
    horizon
        Horizon by which the activity by place is split.
    ahead_seconds
        Length of the curve before onsets.
    seed
        Of the random moments.
    shown
        Wraps the tracks in each pass, for example to show progress.

    Raises
    ------
    StoreError
        If a file cannot be used.
    """
    count = len(numbers)
    timing = tracks[0].contexts[0].timing
    longest = max(context.frames for track in tracks for context in track.contexts)
    densities, links = Densities(count), Links(count)
    curves = Curves(count, ahead_seconds=ahead_seconds, context_frames=longest)
    clock = Clock(count, context_frames=longest)
    places = Places(
        count,
        len(tracks),
        horizon=horizon,
        context_frames=longest,
        frame_rate=timing.frame_rate,
    )
    for track in shown(tracks):
        values = activity(encoded, track, numbers)
        densities.add(values[track.begun])
        links.add(track, read_sound(features, track.row.track_id), values)
        clock.add(track, values)
        curves.add(track, values)
        places.add(track, values)
    known = densities.result()
    moments = Moments(numbers, known, seed=seed)
    for track in shown(tracks):
        values = activity(encoded, track, numbers)
        moments.add(track, values)
        curves.compare(track, values)
    found, curve = moments.result(), curves.result()
    linked, ticking = links.result(), clock.result()
    return {
        number: FeatureSurvey(
            known[i],
            found[i],
            curve[i],
            places.by_place(i),
            places.raster(i),
            places.rows_a_column,
            linked[i],
            ticking[i],
        )
        for i, number in enumerate(numbers)
    }
