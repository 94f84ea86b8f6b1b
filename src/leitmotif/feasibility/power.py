"""What so many tracks can find, by the calibration of the probes' test.

The calibration plants features of known partial correlation. On the organism's 100 tracks of 8 s
its rates are those of a correlation of as many independent observations as there are tracks: rows
of one track are no independent draws. tests/feasibility/test_power.py holds that against the
committed calibration. Longer tracks may tell more, so these figures are cautious.
"""

import math
from statistics import NormalDist

ENOUGH = 0.8
"""Power that is usually asked for."""
_NORMAL = NormalDist()


def power(correlation: float, tracks: int, *, alpha: float) -> float:
    """Share of features with this partial correlation that are found in so many tracks.

    By Fisher's (1921) transformation, two-sided at ``alpha``, without correction for many features.
    Below four tracks nothing is found.

    >>> round(power(0.4, 100, alpha=0.05), 2), round(power(0.4, 12, alpha=0.05), 2)
    (0.99, 0.25)
    """
    if tracks < 4:
        return 0.0
    shift = math.atanh(correlation) * math.sqrt(tracks - 3)
    level = _critical(alpha)
    return _NORMAL.cdf(shift - level) + _NORMAL.cdf(-shift - level)


def least_correlation(tracks: int, *, alpha: float) -> float | None:
    """The partial correlation that so many tracks find in 80 % of cases; None below four tracks.

    >>> [round(least_correlation(n, alpha=0.05), 2) for n in (12, 20, 100)]
    [0.73, 0.59, 0.28]
    """
    if tracks < 4:
        return None
    return math.tanh((_critical(alpha) + _NORMAL.inv_cdf(ENOUGH)) / math.sqrt(tracks - 3))


def _critical(alpha: float) -> float:
    """Of a normal variable, what it exceeds to either side with probability ``alpha``."""
    return -_NORMAL.inv_cdf(alpha / 2)
