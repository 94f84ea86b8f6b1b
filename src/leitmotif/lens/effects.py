"""What a swap does to a tagger's logits: effect, precision, and how far both go beyond controls.

Effect and precision are those of Vélez Vásquez et al., section 3.2.3; the effect is kept in its two
parts. An effect counts where it exceeds that of every control, so a cell is tested against each of
them, and the largest p-value is the cell's (intersection-union test; Berger 1982).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leitmotif.intervals import interval_of, sign_flip_p, track_weights
from leitmotif.judge.measures import kl_divergence, log_odds, swapped
from leitmotif.sites import Control
from leitmotif.tables.interval import IntervalRow
from leitmotif.tables.swaps import MeasuredRow

Array = NDArray[np.float64]
Kind = Literal["swap"] | Control
"""What was put in: the desired mean, or that of a control."""
DIGITS = 4


@dataclass(frozen=True, eq=False)
class TaggedClips:
    """What is kept of the tagger's logits of clips."""

    log_odds: Array
    """Log-odds of the labels by which concepts are known [clips, known]."""
    divergence: Array
    """KL divergence from what was heard before [clips]."""
    second: Array | None = None
    """A second tagger's logits of these labels [clips, known]; not numbers where it was not asked,
    and None without one."""


@dataclass(frozen=True, eq=False)
class SwapEffects:
    """What a swap does, by clip or by cluster [n], in nats."""

    original: Array
    """Fall of the original label's log-odds."""
    desired: Array
    """Rise of the desired label's log-odds."""
    divergence: Array

    @property
    def effect(self) -> Array:
        """Equation 1 of the paper [n]."""
        return self.original + self.desired

    def row(self) -> MeasuredRow:
        """Means with intervals, as tables hold them."""
        return MeasuredRow(
            effect=mean_row(self.effect),
            original=mean_row(self.original),
            desired=mean_row(self.desired),
            precision=mean_row(0.0 - self.divergence, tested=False),
        )


Cluster = Mapping[Kind, SwapEffects]
"""A cell's swap and its controls on the same clips."""


def heard(before: ArrayLike, after: ArrayLike, known: Sequence[int]) -> TaggedClips:
    """Keep what is needed of logits [clips, labels] without and with a swap.

    ``known`` are columns of the labels by which concepts are known.
    """
    odds = [log_odds(after, column) for column in known]
    return TaggedClips(np.stack(odds, axis=1), kl_divergence(before, after))


def measured(before: TaggedClips, after: TaggedClips, original: int, desired: int) -> SwapEffects:
    """Effect of a swap on clips; ``original`` and ``desired`` count among the known labels."""
    return SwapEffects(
        before.log_odds[:, original] - after.log_odds[:, original],
        after.log_odds[:, desired] - before.log_odds[:, desired],
        after.divergence,
    )


def ideal_precision(logits: ArrayLike, original: int, desired: int) -> Array:
    """Precision if the two labels' probabilities exchanged places and all others stayed [clips].

    ``logits`` are those of the original clips [clips, labels]; the labels are columns.
    """
    return 0.0 - kl_divergence(logits, swapped(logits, original, desired))


def joined(parts: Sequence[SwapEffects]) -> SwapEffects:
    """The clips of several measurements, one after the other."""
    return _each(parts, np.concatenate)


def averaged(parts: Sequence[SwapEffects]) -> SwapEffects:
    """Mean over measurements of the same clips, such as over layers."""
    return _each(parts, lambda arrays: np.mean(arrays, axis=0))


def clustered(clusters: Sequence[Cluster]) -> Cluster:
    """The mean of each cluster, as if it were one clip; of a single cluster its clips.

    Controls that a cluster lacks are left out.
    """
    if len(clusters) == 1:
        return clusters[0]
    kinds = [kind for kind in clusters[0] if all(kind in cluster for cluster in clusters)]
    return {kind: _each([cluster[kind] for cluster in clusters], _means) for kind in kinds}


def cell_fields(cluster: Cluster) -> dict[str, Any]:
    """Fields ``swap``, ``controls``, ``strongest`` and ``excess`` of a row."""
    swap, controls = cluster["swap"], _controls(cluster)
    strongest = max(controls, key=lambda kind: float(controls[kind].effect.mean()), default=None)
    return {
        "swap": swap.row(),
        "controls": {kind: control.row() for kind, control in controls.items()},
        "strongest": strongest,
        "excess": None if strongest is None else mean_row(swap.effect - controls[strongest].effect),
    }


def excess_p(cluster: Cluster) -> float | None:
    """That the effect exceeds none of some control: the largest p-value; None without controls.

    Each is two-sided, of flipping signs of the paired differences, and 1 where the control's mean
    is as large.
    """
    differences = [
        cluster["swap"].effect - control.effect for control in _controls(cluster).values()
    ]
    if not differences:
        return None
    return max(1.0 if values.mean() <= 0 else sign_flip_p(values) for values in differences)


def mean_row(values: Array, *, tested: bool = True) -> IntervalRow:
    """Mean of [n] with its interval and, if ``tested``, the p-value of flipping its signs."""
    n = len(values)
    resampled = _weights(n) @ values / n
    interval = interval_of(float(values.mean()), resampled, tracks=n)
    return IntervalRow.of(interval, DIGITS, p=sign_flip_p(values) if tested else None, n=n)


@lru_cache(maxsize=4)
def _weights(n: int) -> Array:
    """Drawn once: there are hundreds of thousands of intervals over the same number of clips."""
    return track_weights(n)


def _means(arrays: Sequence[Array]) -> Array:
    return np.array([values.mean() for values in arrays])


def _controls(cluster: Cluster) -> dict[Control, SwapEffects]:
    return {kind: effects for kind, effects in cluster.items() if kind != "swap"}


def _each(parts: Sequence[SwapEffects], make: Callable[[Sequence[Array]], Array]) -> SwapEffects:
    return SwapEffects(
        make([part.original for part in parts]),
        make([part.desired for part in parts]),
        make([part.divergence for part in parts]),
    )
