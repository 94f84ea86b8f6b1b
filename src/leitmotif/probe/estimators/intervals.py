"""Shares explained and areas under the curve, with intervals over tracks."""

import numpy as np
from numpy.typing import NDArray

from leitmotif.errors import ProbeError
from leitmotif.intervals import Interval, interval_of, track_weights, with_estimate
from leitmotif.probe.panel.arguments import column
from leitmotif.probe.panel.panel import Array

__all__ = ["Interval", "auroc", "explained", "interval_of", "track_weights"]


def explained(total: Array, left: Array, weights: Array) -> Interval:
    """1 - left / total with its interval, from sums of squares by track [tracks].

    ``weights`` [resamples, tracks] as ``track_weights`` draws them. Raises ProbeError for other
    shapes, NaN, and a total of 0.
    """
    total = column(total, "sums of squares")
    left = column(left, "what is left of them", rows=len(total))
    refuse_other_weights(weights, tracks=len(total))
    if not total.sum():
        raise ProbeError("there is nothing to explain", found="sums of squares of 0")
    estimate = 1 - left.sum() / total.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        resampled = 1 - (weights @ left) / (weights @ total)
    return interval_of(float(estimate), resampled, tracks=len(total))


def auroc(
    scores: Array,
    present: NDArray[np.bool_],
    tracks: NDArray[np.int64],
    folds: NDArray[np.int64],
    weights: Array,
) -> Interval | None:
    """Chance that a row with an event scores above one of the same fold without, ties at a half.

    Rows [n] are compared within their fold only: another fold's scores come from another fit, and
    pooling them is biased (Parker, Günter & Bedo 2007; Airola et al. 2011). ``tracks`` and
    ``folds`` [n] are numbers, ``weights`` [resamples, tracks] are bootstrap counts of the tracks.
    Returns None where no fold has rows of both kinds. Raises ProbeError for other shapes and NaN.
    """
    scores = column(scores, "scores")
    for values, name in ((present, "presence"), (tracks, "tracks"), (folds, "folds")):
        column(values, name, rows=len(scores))
    refuse_other_weights(weights, tracks=int(tracks.max()) + 1)
    everything = with_estimate(weights)
    wins, pairs = np.zeros(len(everything)), np.zeros(len(everything))
    for fold in np.unique(folds):
        rows = folds == fold
        numbers, local = np.unique(tracks[rows], return_inverse=True)
        won, ups, downs = _pair_wins(scores[rows], present[rows], local)
        drawn = everything[:, numbers]
        wins += ((drawn @ won) * drawn).sum(axis=1)
        pairs += (drawn @ ups) * (drawn @ downs)
    if not pairs[0]:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        areas = wins / pairs
    return interval_of(float(areas[0]), areas[1:], tracks=weights.shape[1])


def refuse_other_weights(weights: Array, *, tracks: int) -> None:
    """Raise ProbeError unless ``weights`` are [resamples, tracks]."""
    if np.ndim(weights) != 2 or weights.shape[1] < tracks:
        raise ProbeError(
            "weights count how often each track is drawn",
            found=f"shape {np.shape(weights)}",
            expected=f"[resamples, {tracks}]",
        )


def _pair_wins(
    scores: Array, present: NDArray[np.bool_], tracks: NDArray[np.int64]
) -> tuple[Array, Array, Array]:
    """Wins of each track's rows with an event over each track's rows without: [tracks, tracks].

    Also the numbers of rows with and without, [tracks]. A resample of the tracks then needs no
    rows: a track drawn a times wins a b times as often over one drawn b times.
    """
    values, ranks = np.unique(scores, return_inverse=True)
    counts = np.zeros((2, len(values), int(tracks.max()) + 1))
    np.add.at(counts, (present.astype(np.int64), ranks, tracks), 1)
    downs, ups = counts
    below = np.cumsum(downs, axis=0) - downs / 2  # ties count half
    return ups.T @ below, ups.sum(axis=0), downs.sum(axis=0)
