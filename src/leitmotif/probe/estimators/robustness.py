"""How strong a confounder that no control measures would have to be to explain an effect away."""

import numpy as np

from leitmotif.intervals import Interval


def robustness(partial_r2: Interval) -> Interval:
    """Robustness value of a partial R² and of the ends of its interval (Cinelli & Hazlett 2020).

    A confounder that explains less than this share of what the controls leave of the target, and
    less than this share of what they leave of the features' prediction, cannot account for it. With
    f² = R² / (1 - R²) it is (√(f⁴ + 4 f²) - f²) / 2; 0 where the features add nothing. The interval
    of the partial R² is over tracks, so its lower end says this of what tracks make sure of.

    >>> robustness(Interval(0.5, 0.0, 0.8))
    Interval(mean=0.618, low=0.0, high=0.828)
    """
    return Interval(*map(_value, (partial_r2.mean, partial_r2.low, partial_r2.high)))


def _value(r2: float) -> float:
    r2 = min(max(r2, 0.0), 1 - 1e-12)
    f2 = r2 / (1 - r2)
    return round(float((np.sqrt(f2**2 + 4 * f2) - f2) / 2), 4)
