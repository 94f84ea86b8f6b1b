"""Estimates with intervals from resampling tracks, which are what is drawn at random."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval, as metrics files hold it."""

    mean: float
    low: float
    high: float

    def as_metric(self, digits: int = 5) -> dict[str, float]:
        """Return a dictionary of rounded numbers."""
        return {key: round(value, digits) for key, value in asdict(self).items()}


def track_weights(tracks: int, *, resamples: int = RESAMPLES, seed: int = 0) -> Array:
    """How often each track is drawn in each resample: [resamples, tracks]."""
    random = np.random.default_rng(seed)
    drawn = random.multinomial(tracks, np.full(tracks, 1 / tracks), size=resamples)
    return drawn.astype(np.float64)


def with_estimate(weights: Array) -> Array:
    """[resamples + 1, tracks]: every track once, which gives the estimate, then the resamples."""
    return np.vstack([np.ones(weights.shape[1]), weights])


def interval_of(estimate: float, resampled: Array) -> Interval:
    """Percentile interval; resamples in which the estimate does not exist (NaN) are left out."""
    low, high = np.nanpercentile(resampled, [2.5, 97.5])
    return Interval(float(estimate), float(low), float(high))
