"""Views of the stage ``proposals``: false alarms, and how much of a score is found."""

from collections import defaultdict
from collections.abc import Sequence

from scipy.stats import binomtest

from leitmotif.intervals import Interval
from leitmotif.recurrence.proposals.scoring import Matches, count, has_distractors
from leitmotif.tables.interval import IntervalRow, as_metric
from leitmotif.tables.proposals import Proposal
from leitmotif.tables.truth import Truth


def metrics_of(
    queue: Sequence[Proposal], truths: Sequence[Truth], *, alarms: int, shuffled: int
) -> dict[str, object]:
    """False alarms on shuffled tracks, and how much of a score is found; null where none is known.

    Parameters
    ----------
    queue : all proposals.
    truths : the scores of the tracks that were searched; empty of recordings.
    alarms : shuffled tracks in which anything was proposed.
    shuffled : shuffled tracks that were searched.
    """
    by_track = defaultdict(list)
    for proposal in queue:
        by_track[proposal.track_id].append(proposal)
    plain = count((row for row in truths if not has_distractors(row)), by_track)
    distracted = count((row for row in truths if has_distractors(row)), by_track)
    return {
        "proposals": len(queue),
        "null_any_rate": as_metric(_rate(alarms, shuffled)),
        "precision": _share(plain, "precision"),
        "recall": _share(plain, "recall"),
        "precision_distractors": _share(distracted, "precision"),
        "recall_distractors": _share(distracted, "recall"),
    }


def _rate(hits: int, n: int) -> IntervalRow | None:
    """Share with its 95 % Wilson interval; None of nothing."""
    if not n:
        return None
    interval = binomtest(hits, n).proportion_ci(method="wilson")
    return IntervalRow.of(Interval(hits / n, interval.low, interval.high), 4, n=n)


def _share(counts: Matches, name: str) -> float | None:
    value: float | None = getattr(counts, name)
    return None if value is None else round(value, 4)
