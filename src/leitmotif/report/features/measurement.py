"""Measures the features of one autoencoder in two passes over the tracks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leitmotif.claims import Horizon
from leitmotif.report.features.around import Around, AroundCurves
from leitmotif.report.features.density import Densities, Density
from leitmotif.report.features.listening import Track, activity, read_sound
from leitmotif.report.features.moments import Moment, Moments
from leitmotif.report.features.places import ByPlace, Places, RasterLine
from leitmotif.report.features.sounds import Clock, Links, SoundCorrelation


@dataclass(frozen=True)
class FeatureMeasurements:
    """Measurements of one feature."""

    density: Density
    moments: Sequence[Moment]
    around: Around
    by_place: ByPlace
    raster: Sequence[RasterLine]
    rows_a_column: int
    """Number of rows of a context in a column of the raster."""
    links: Sequence[SoundCorrelation]
    clock: float
    """Share of the activity's variance that the place in the context explains."""


def measure(
    numbers: Sequence[int],
    tracks: Sequence[Track],
    *,
    encoded: Path,
    features: Path,
    horizon: Horizon,
    ahead_seconds: float,
    seed: int,
    shown: Callable[[Iterable[Track]], Iterable[Track]] = iter,
) -> dict[int, FeatureMeasurements]:
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
    first_pass = _FirstPass(
        len(numbers), tracks, horizon=horizon, ahead_seconds=ahead_seconds, features=features
    )
    for track in shown(tracks):
        first_pass.add(track, activity(encoded, track, numbers))
    moments = Moments(numbers, first_pass.densities.result(), seed=seed)
    for track in shown(tracks):
        values = activity(encoded, track, numbers)
        moments.add(track, values)
        first_pass.curves.compare(track, values)
    return first_pass.with_moments(numbers, moments)


class _FirstPass:
    """What one look at each track gives; the curves take a second look too.

    Parameters
    ----------
    count : number of features.
    tracks, horizon, ahead_seconds, features : see ``measure``.
    """

    def __init__(
        self,
        count: int,
        tracks: Sequence[Track],
        *,
        horizon: Horizon,
        ahead_seconds: float,
        features: Path,
    ) -> None:
        longest = max(context.frames for track in tracks for context in track.contexts)
        self._features = features
        self.densities = Densities(count)
        self.curves = AroundCurves(count, ahead_seconds=ahead_seconds, context_frames=longest)
        self._links = Links(count)
        self._clock = Clock(count, context_frames=longest)
        self._places = Places(
            count,
            len(tracks),
            horizon=horizon,
            context_frames=longest,
            frame_rate=tracks[0].contexts[0].timing.frame_rate,
        )

    def add(self, track: Track, values: NDArray[np.float64]) -> None:
        """Look at one track, with the activity of the features in it."""
        self.densities.add(values[track.begun])
        self._links.add(track, read_sound(self._features, track.row.track_id), values)
        self._clock.add(track, values)
        self.curves.add(track, values)
        self._places.add(track, values)

    def with_moments(
        self, numbers: Sequence[int], moments: Moments
    ) -> dict[int, FeatureMeasurements]:
        """The measurements by the number of the feature, after the second pass."""
        densities, curves = self.densities.result(), self.curves.result()
        links, clock, moments_of = self._links.result(), self._clock.result(), moments.result()
        return {
            number: FeatureMeasurements(
                density=densities[i],
                moments=moments_of[i],
                around=curves[i],
                by_place=self._places.by_place(i),
                raster=self._places.raster(i),
                rows_a_column=self._places.rows_a_column,
                links=links[i],
                clock=clock[i],
            )
            for i, number in enumerate(numbers)
        }
