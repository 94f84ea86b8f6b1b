"""How many of the recurrences that people know of the machine had proposed."""

from collections.abc import Iterable, Sequence

import numpy as np

from leitmotif.intervals import bounded_ratio
from leitmotif.recurrence.proposals.scoring import MATCH, overlap
from leitmotif.review.known import at_rate
from leitmotif.tables.base import Span
from leitmotif.tables.interval import IntervalRow
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tables.proposals import Proposal

Windows = tuple[Span, Span]
"""Motif and recurrence."""


def recall(
    labels: Iterable[Label], coverage: Sequence[Coverage], proposals: Iterable[Proposal]
) -> IntervalRow | None:
    """Share of verified recurrences that were proposed, where every onset is known.

    Elsewhere only proposals were heard, which would all be found. By a score there is none: the
    stage ``proposals`` measures it, of all tracks. A recurrence counts as proposed
    if a proposal's recurrence matches it, and that proposal's motif any statement of its motif:
    both by intersection over union, as against a score (``leitmotif.recurrence.proposals.scoring``,
    MATCH). Two labels of one pair of windows count once.

    Returns
    -------
    IntervalRow or None
        With n, the tracks that have such recurrences, which are resampled; None where there are
        none.
    """
    if not any(row.source == "decisions" for row in coverage):
        return None
    rates = {row.track_id: row.sample_rate for row in coverage}
    verified: dict[str, list[Windows]] = {row.track_id: [] for row in coverage}
    for label in labels:
        verified[label.track_id].append(_windows(label, rates[label.track_id]))
    proposed: dict[str, list[Windows]] = {row.track_id: [] for row in coverage}
    for proposal in proposals:
        if proposal.track_id in proposed:
            proposed[proposal.track_id].append(_windows(proposal, rates[proposal.track_id]))
    counts = [_count(verified[row.track_id], proposed[row.track_id], row.known) for row in coverage]
    counted = np.array([pair for pair in counts if pair[1]], float).reshape(-1, 2)
    if not len(counted):
        return None
    return IntervalRow.of(bounded_ratio(counted[:, 0], counted[:, 1]), 4, n=len(counted))


def _count(
    verified: Sequence[Windows], proposed: Sequence[Windows], known: Sequence[Span]
) -> tuple[int, int]:
    """How many verified recurrences of a track were proposed, and how many there are."""
    apart: list[Windows] = []
    for pair in verified:
        begins = pair[1].start_sample
        inside = any(
            span.start_sample <= begins < span.start_sample + span.samples for span in known
        )
        if inside and not any(all(map(_alike, pair, other)) for other in apart):
            apart.append(pair)
    hits = 0
    for motif, recurrence in apart:
        statements = [motif]
        statements += [later for first, later in verified if _alike(first, motif)]
        hits += any(
            _alike(later, recurrence) and any(_alike(first, stated) for stated in statements)
            for first, later in proposed
        )
    return hits, len(apart)


def _alike(span: Span, other: Span) -> bool:
    return overlap(span, other) >= MATCH


def _windows(row: Label | Proposal, sample_rate: int) -> Windows:
    motif, recurrence = (
        at_rate(span, row.sample_rate, sample_rate) for span in (row.motif, row.recurrence)
    )
    return motif, recurrence
