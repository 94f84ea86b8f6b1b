"""Random features that are like a candidate in all but what it is a candidate for.

An edit of a feature that fires often, or whose decoder direction is long, changes more of the
model than one of a feature that is nearly silent. So the features that stand beside a candidate
are drawn among those of like firing rate and norm.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leitmotif.errors import ModelError

TOLERANCE = 0.5
"""Largest distance of a match: a factor of 1.65 in one of the properties."""


@dataclass(frozen=True)
class Matched:
    """Features drawn for one candidate."""

    features: tuple[int, ...]
    distances: tuple[float, ...]
    """Distance of each, as ``match`` measures it."""
    pool: int
    """How many features were near enough to be drawn."""


def match(
    feature: int,
    properties: Mapping[str, NDArray[np.floating]],
    *,
    count: int,
    seed: int,
    exclude: Collection[int] = (),
    tolerance: float = TOLERANCE,
) -> Matched:
    """Draw ``count`` features within ``tolerance`` of a candidate, never the candidate itself.

    ``properties`` are positive numbers [F] by name, such as firing rate and decoder norm; distance
    is the root mean square of the differences of their logarithms. A feature without a property
    (0 or not finite) is never drawn. ``exclude`` are further features that must not be, such as
    the other candidates. The same arguments give the same features. Raises ModelError where fewer
    than ``count`` are near enough.
    """
    values = np.array([np.asarray(column, np.float64) for column in properties.values()])
    if values.ndim != 2 or not 0 <= feature < values.shape[1]:
        raise ModelError(
            f"feature {feature} has no properties to match",
            found=f"{len(properties)} properties of shape {values.shape[1:]}",
            expected="at least one array [F], the feature among its F",
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(values)
    if not np.isfinite(logs[:, feature]).all():
        stated = {name: float(column[feature]) for name, column in properties.items()}
        raise ModelError(
            f"feature {feature} cannot be matched",
            found=stated,
            expected="finite properties above 0",
            fix="leave it out: what never fires has no effect",
        )
    with np.errstate(invalid="ignore"):
        distance = np.sqrt(np.mean((logs - logs[:, [feature]]) ** 2, axis=0))
    distance[[feature, *exclude]] = np.inf
    pool = np.flatnonzero(distance <= tolerance)  # NaN is not
    if len(pool) < count:
        near = np.sort(distance[np.isfinite(distance)])
        nearest = f"; number {count} is {near[count - 1]:.3g} away" if len(near) >= count else ""
        raise ModelError(
            f"too few features are like feature {feature} in {' and '.join(properties)}",
            found=f"{len(pool)} within {tolerance}{nearest}",
            expected=f"{count}",
            fix="ask for fewer random features, or allow a larger tolerance and report it",
        )
    drawn = np.random.default_rng([seed, feature]).choice(pool, size=count, replace=False)
    return Matched(
        tuple(int(i) for i in drawn), tuple(float(distance[i]) for i in drawn), len(pool)
    )
