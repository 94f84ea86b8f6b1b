"""What conditions do, track by track: differences from the baseline, and how sure they are.

A difference is taken between clips of one track and seed, which share prefix and noise. The seeds
of a track are averaged first, so that tracks are what is resampled: intervals are bootstraps over
tracks, p-values come from flipping the signs of whole tracks, which under the null that the
intervention does nothing are as likely either way. Differences of rates cannot leave their limits,
and their bootstrap knows it: sixteen tracks that all agree do not make an effect certain.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leitmotif.errors import ProbeError
from leitmotif.intervals import (
    Interval,
    bounded_mean,
    interval_of,
    sign_flip_p,
    track_weights,
)
from leitmotif.probe.panel.panel import Array
from leitmotif.tables.interval import IntervalRow

Values = Mapping[tuple[str, int], float | None]
"""A measure of one condition's clips by track and seed; None where a clip was excluded."""
ByTrack = dict[str, float]


@dataclass(frozen=True)
class Effect:
    """A mean difference over tracks."""

    interval: Interval
    p: float
    """Two-sided, of flipping the tracks' signs."""
    tracks: int
    changed: int | None = None
    """Tracks in which the rate changed; None for an effect on something else than a rate."""

    def row(self, digits: int = 4) -> IntervalRow:
        """Rounded numbers, as tables hold them."""
        return IntervalRow.of(self.interval, digits, p=self.p, n=self.tracks, changed=self.changed)


def differences(
    treated: Values,
    baseline: Values,
    *,
    scale: float = 1.0,
    towards: Mapping[str, int] | None = None,
) -> ByTrack:
    """Mean over seeds of treated less baseline, times ``scale``, by track.

    ``scale`` 100 turns rates into percentage points. ``towards`` has +1 or -1 for each track: the
    direction that is predicted, as the twin says it, in which a difference then counts as positive.
    A pair of which either clip was excluded is left out, and with its last pair a track.
    """
    return mean_by_track(
        (track, scale * (1 if towards is None else towards[track]) * (value - other))
        for (track, seed), value in treated.items()
        if value is not None and (other := baseline.get((track, seed))) is not None
    )


def mean_by_track(values: Iterable[tuple[str, float]]) -> ByTrack:
    """Mean of the values of each track, from pairs of both."""
    grouped: dict[str, list[float]] = {}
    for track, value in values:
        grouped.setdefault(track, []).append(value)
    return {track: float(np.mean(of_track)) for track, of_track in grouped.items()}


def effect_of(
    by_track: Mapping[str, float], *, limits: tuple[float, float] | None = None
) -> Effect:
    """Summarise differences, which lie within ``limits`` if they are given.

    Raises ProbeError for fewer than two tracks.
    """
    values = _column(by_track)
    n = len(values)
    p = sign_flip_p(values)
    if limits is None:
        resampled = track_weights(n) @ values / n
        return Effect(interval_of(float(values.mean()), resampled, tracks=n), p, n)
    # Means of shares may differ from 0 by their last digits.
    changed = int((np.abs(values) > 1e-9 * (limits[1] - limits[0])).sum())
    return Effect(bounded_mean(values, limits), p, n, changed)


def contrast(
    of_condition: Mapping[str, float], controls: Sequence[Sequence[Mapping[str, float]]]
) -> ByTrack:
    """How far a condition's difference exceeds its controls', track by track.

    ``controls`` are of several kinds, such as random features, and some of each. What is exceeded
    is the mean of a kind, of that kind whose mean is the largest in a track. Tracks that any of
    them lacks are left out. Raises ProbeError without controls.
    """
    kinds = [kind for kind in controls if kind]
    others = [other for kind in kinds for other in kind]
    if not others:
        raise ProbeError("there is nothing to contrast with", expected="one condition or more")
    shared = [track for track in of_condition if all(track in other for other in others)]
    return {
        track: of_condition[track]
        - max(float(np.mean([other[track] for other in kind])) for kind in kinds)
        for track in shared
    }


def strongest(effects: Mapping[str, Mapping[str, float]], tracks: Collection[str]) -> str:
    """Which of several candidates has the largest mean effect on some tracks; the first of equals.

    ``effects`` are differences by track, by candidate. One without any of the tracks counts least.
    Means that differ in their last digits, as sums in another order do, are equal.
    """

    def mean(name: str) -> float:
        on_tracks = [value for track, value in effects[name].items() if track in tracks]
        return round(math.fsum(on_tracks) / len(on_tracks), 9) if on_tracks else -math.inf

    return max(effects, key=mean)


def chosen_apart(effects: Mapping[str, Mapping[str, float]], *, seed: int = 0) -> dict[str, str]:
    """For each track the candidate that is strongest on the half of the tracks that lacks it.

    Its effect on the track is then not one that it was chosen for. ``effects`` are differences by
    track, by candidate; the tracks are halved at random.
    """
    tracks = sorted({track for by_track in effects.values() for track in by_track})
    order = np.random.default_rng(seed).permutation(tracks)
    halves = [part.tolist() for part in np.array_split(order, 2)]
    return {
        track: strongest(effects, there) for here, there in (halves, halves[::-1]) for track in here
    }


def dose_response(by_strength: Mapping[float, Mapping[str, float]]) -> ByTrack:
    """Slope of the difference over the strength, by track: points per unit of strength.

    The baseline is the strength 1 with no difference; ablation is the strength 0. Tracks that lack
    a dose are left out. Raises ProbeError for no dose but 1.
    """
    doses = {1.0: dict.fromkeys(next(iter(by_strength.values()), {}), 0.0), **by_strength}
    if len(doses) < 2:
        raise ProbeError("no slope without doses", found=sorted(doses), expected="another than 1")
    strengths, centred = _centred(doses)
    shared = [track for track in doses[1.0] if all(track in values for values in doses.values())]
    return {
        track: float(
            centred
            @ [doses[float(strength)][track] for strength in strengths]
            / (centred @ centred)
        )
        for track in shared
    }


def steepest(strengths: Collection[float], limit: float) -> float:
    """The largest slope of ``dose_response`` if no difference exceeds ``limit``."""
    doses, centred = _centred([1.0, *strengths])
    return float(limit * np.abs(centred[doses != 1.0]).sum() / (centred @ centred))


def specificity(effects: Mapping[str, float], similarity: Mapping[str, float]) -> Effect | None:
    """Effect per fidelity lost: mean effect over 1 less the mean similarity, tracks resampled.

    The ratio is 0 where the effect is, so its p is that of the effect on the same tracks. None
    where nothing was lost at all, so that the ratio does not exist.
    """
    shared = [track for track in effects if track in similarity]
    gained = _column({track: effects[track] for track in shared})
    lost = 1.0 - _column({track: similarity[track] for track in shared})
    if lost.mean() <= 1e-6:
        return None
    weights = track_weights(len(shared))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = (weights @ gained) / (weights @ lost)
    ratios[weights @ lost <= 1e-6 * len(shared)] = np.nan
    interval = interval_of(float(gained.sum() / lost.sum()), ratios, tracks=len(shared))
    return Effect(interval, sign_flip_p(gained), len(shared))


def by_track(values: Values) -> ByTrack:
    """Mean over seeds of a measure, by track; excluded clips are left out."""
    return mean_by_track((track, x) for (track, _), x in values.items() if x is not None)


def _centred(strengths: Iterable[float]) -> tuple[Array, Array]:
    doses = np.unique(list(strengths))
    return doses, doses - doses.mean()


def _column(by_track: Mapping[str, float]) -> Array:
    values = np.array(list(by_track.values()), np.float64)
    if len(values) < 2:
        raise ProbeError(
            "an effect over tracks needs tracks",
            found=f"{len(values)} with clips of both conditions",
            expected="2 or more",
            fix="use more tracks, or see why clips were excluded",
        )
    return values
