"""Verdicts against what is planted: sensitivity, specificity, and where and how far ahead."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from leitmotif.bench.method import BIN_SECONDS
from leitmotif.errors import LeitmotifError
from leitmotif.intervals import bounded_mean, interval_of, track_weights
from leitmotif.tables.bench import BenchScore, BenchVerdict, ZooTruth
from leitmotif.tables.interval import IntervalRow


def score_of(verdicts: Sequence[BenchVerdict], truths: Sequence[ZooTruth]) -> BenchScore:
    """Score the verdicts of one method; intervals are over models.

    Those of rates are Jeffreys' (``intervals.bounded_mean``). Raises LeitmotifError without a
    verdict, or for a model of which nothing is planted.
    """
    known = {truth.model: truth for truth in truths}
    if not verdicts or not {verdict.model for verdict in verdicts} <= known.keys():
        raise LeitmotifError(
            "these verdicts cannot be scored",
            found=", ".join(verdict.model for verdict in verdicts) or "none",
            expected=f"one or more of {', '.join(known)}",
        )
    pairs = [(verdict, known[verdict.model]) for verdict in verdicts]
    there = [verdict.foresight for verdict, truth in pairs if truth.foresight]
    not_there = [not verdict.foresight for verdict, truth in pairs if not truth.foresight]
    maps = [auroc(verdict, truth) for verdict, truth in pairs]
    errors = [lead_error(verdict, truth) for verdict, truth in pairs]
    return BenchScore(
        method=verdicts[0].method,
        models=len(verdicts),
        sensitivity=_rate(there),
        specificity=_rate(not_there),
        auroc=_rate([value for value in maps if value is not None]),
        lead_error=_mean([value for value in errors if value is not None]),
        seconds=round(float(np.mean([verdict.seconds for verdict in verdicts])), 1),
        missed=[v.model for v, truth in pairs if truth.foresight and not v.foresight],
        false=[v.model for v, truth in pairs if v.foresight and not truth.foresight],
    )


def auroc(verdict: BenchVerdict, truth: ZooTruth) -> float | None:
    """How surely a planted cell of the last slot is stronger than another one; ties count half.

    A bin is planted where the planted steps fill at least half of it. None where no cell of the map
    is planted, or all are.
    """
    planted, cells = _planted(truth), verdict.strengths
    is_planted = np.array([planted.get((cell.site, cell.after), 0.0) >= 0.5 for cell in cells])
    positive, negative = int(is_planted.sum()), int((~is_planted).sum())
    if not positive or not negative:
        return None
    ranks = rankdata([cell.strength for cell in cells])
    above = ranks[is_planted].sum() - positive * (positive + 1) / 2
    return float(above / (positive * negative))


def lead_error(verdict: BenchVerdict, truth: ZooTruth) -> float | None:
    """Seconds between a lead and the cells furthest ahead; 0 within them.

    None unless the model has foresight and the method found it, with a lead.
    """
    last = truth.slots[-1]
    nearest, furthest = last.nearest_seconds, last.furthest_seconds
    if not (truth.foresight and verdict.foresight) or verdict.lead_seconds is None:
        return None
    assert nearest is not None
    assert furthest is not None
    return max(0.0, nearest - verdict.lead_seconds, verdict.lead_seconds - furthest)


def _planted(truth: ZooTruth) -> dict[tuple[str, float], float]:
    """Share of each bin that planted steps of the last slot fill."""
    slot, width = truth.slots[-1], round(BIN_SECONDS * truth.frame_rate)
    shares: dict[tuple[str, float], float] = {}
    for cell in slot.cells:
        for step in range(cell.first_step, cell.last_step + 1):
            # Bin n holds the steps from which the event is more than n widths away, and no more
            # than a width further.
            number = (slot.onset_step - step - 1) // width
            key = cell.site, round(number * BIN_SECONDS, 6)
            shares[key] = shares.get(key, 0.0) + 1 / width
    return shares


def _rate(values: Sequence[float]) -> IntervalRow | None:
    """Mean of numbers from 0 to 1."""
    if not values:
        return None
    interval = bounded_mean(np.array(values, np.float64), (0.0, 1.0))
    return IntervalRow.of(interval, 3, n=len(values))


def _mean(values: Sequence[float]) -> IntervalRow | None:
    if not values:
        return None
    x = np.array(values, np.float64)
    resampled = track_weights(len(x)) @ x / len(x)
    return IntervalRow.of(interval_of(float(x.mean()), resampled, tracks=len(x)), 3, n=len(x))
