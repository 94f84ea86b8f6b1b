"""What the proposals found of the recurrences that people know of."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.review.recall import recall
from leitmotif.tables.base import Span
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tables.proposals import Proposal
from tests.tables.made import label_row, proposal_row

RATE = 32_000


def span(start: float, seconds: float = 2.0) -> Span:
    return Span(start_sample=round(start * RATE), samples=round(seconds * RATE))


def label(track: str, motif: float, recurrence: float) -> Label:
    return label_row(
        track_id=track,
        motif=span(motif),
        recurrence=span(recurrence),
        source="decisions",
        reviewers=["ana"],
        pair="0" * 16,
    )


def proposed(track: str, motif: float, recurrence: float) -> Proposal:
    return proposal_row(track_id=track, motif=span(motif), recurrence=span(recurrence))


def heard(track: str, *known: Span) -> Coverage:
    return Coverage(
        track_id=track,
        source="decisions",
        labels=0,
        proposals=0,
        pending=0,
        known=list(known),
        sample_rate=RATE,
        complete=bool(known),
    )


def test_only_what_was_listened_to_counts() -> None:
    """Where only proposals were heard, all that is known was proposed."""
    labels = [label("a", 0, 10), label("a", 0, 20), label("b", 0, 10)]
    queue = [proposed("a", 0.2, 10.3), proposed("b", 0, 10)]
    row = recall(labels, [heard("a", span(0, 30)), heard("b")], queue)
    assert row is not None
    assert (row.mean, row.n) == (0.5, 1)
    assert recall(labels, [heard("a"), heard("b")], queue) is None
    first = recall(labels, [heard("a", span(0, 15)), heard("b")], queue)
    assert first is not None
    assert first.mean == 1.0


def test_a_proposal_may_start_from_any_statement_of_the_motif() -> None:
    labels = [label("a", 0, 10), label("a", 0, 20), label("a", 5, 25)]
    coverage = [heard("a", span(0, 30))]

    def share(*queue: Proposal) -> float | None:
        row = recall(labels, coverage, queue)
        return None if row is None else row.mean

    assert share(proposed("a", 10, 20)) == pytest.approx(1 / 3, abs=1e-4)
    assert share(proposed("a", 5, 20)) == 0.0  # another motif
    assert share(proposed("a", 0, 21.5)) == 0.0  # too far beside it


def test_what_was_decided_and_imported_counts_once() -> None:
    labels = [label("a", 0, 10), label("a", 0.1, 10.1), label("a", 0, 20)]
    row = recall(labels, [heard("a", span(0, 30))], [proposed("a", 0, 10)])
    assert row is not None
    assert row.mean == 0.5


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=1, max_size=12))
def test_the_interval_is_never_without_width(tracks: Sequence[tuple[int, bool]]) -> None:
    """Also where all or nothing was proposed, and it holds the share."""
    labels, queue, coverage = [], [], []
    for number, (n, found) in enumerate(tracks):
        name = f"track{number}"
        coverage.append(heard(name, span(0, 60)))
        for place in range(n):
            labels.append(label(name, 0, 10.0 * (place + 1)))
            if found:
                queue.append(proposed(name, 0, 10.0 * (place + 1)))
    row = recall(labels, coverage, queue)
    assert row is not None
    share = sum(n for n, found in tracks if found) / sum(n for n, _ in tracks)
    assert row.mean == pytest.approx(share, abs=1e-4)
    assert 0 <= row.low <= row.mean <= row.high <= 1
    assert row.high - row.low > 0.02
    assert row.n == len(tracks)
