"""What a reviewer hears next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.review.index_rows import Standing
from leitmotif.review.queue import BATCH, order, review_progress, waiting
from leitmotif.review.standing import by_pair

PAIRS = [f"{number:016x}" for number in range(100)]


def said(reviewer: str, pair: str, verdict: str = "positive", **fields: object) -> Standing:
    values = {"queue": "review", "key": "k", "time": 0.0} | fields
    return Standing(reviewer=reviewer, pair=pair, verdict=verdict, **values)  # type: ignore[arg-type]


def queue_of(decisions: list[Standing], reviewer: str, queue: str, skipped: list[str]) -> list[str]:
    return waiting(
        order(PAIRS[:6], reviewer),
        by_pair(decisions),
        reviewer=reviewer,
        queue=queue,  # type: ignore[arg-type]
        skipped=skipped,
    )


@given(st.integers(0, 100), st.sampled_from(["ana", "ben"]))
def test_the_order_keeps_batches_and_hides_ranks_within(count: int, reviewer: str) -> None:
    ordered = order(PAIRS[:count], reviewer)
    for start in range(0, count, BATCH):
        batch = slice(start, start + BATCH)
        assert sorted(ordered[batch]) == PAIRS[:count][batch]
    assert ordered == order(PAIRS[:count], reviewer)


def test_each_reviewer_has_an_order_of_their_own() -> None:
    assert order(PAIRS, "ana") != order(PAIRS, "ben")
    assert order(PAIRS, "ana") != PAIRS


def test_what_others_decided_changes_nothing() -> None:
    others = [said("ben", pair, "negative") for pair in PAIRS[:3]]
    assert queue_of(others, "ana", "review", []) == queue_of([], "ana", "review", [])


def test_decided_items_are_gone_and_skipped_ones_come_last() -> None:
    decided = [said("ana", PAIRS[0])]
    order = queue_of(decided, "ana", "review", [PAIRS[4], PAIRS[0], PAIRS[1]])
    assert order[-2:] == [PAIRS[4], PAIRS[1]]
    assert sorted(order) == PAIRS[1:6]


def test_disagreements_are_for_all_until_one_settles_them() -> None:
    decided = [
        said("ana", PAIRS[0], "positive"),
        said("ben", PAIRS[0], "negative"),
        said("ana", PAIRS[1]),
        said("ben", PAIRS[1]),
    ]
    for reviewer in ("ana", "ben", "eva"):
        assert queue_of(decided, reviewer, "disagreements", []) == [PAIRS[0]]
    settled = [*decided, said("eva", PAIRS[0], "positive", queue="disagreements")]
    for reviewer in ("ana", "ben", "eva"):
        assert queue_of(settled, reviewer, "disagreements", []) == []
    # Eva saw what the others said, so a first decision of hers would not be blind.
    assert PAIRS[0] not in queue_of(settled, "eva", "review", [])


def test_pace_is_the_median_gap_without_pauses() -> None:
    times = [0, 4, 10, 3610, 3614, 3618]  # an hour's pause in between
    decided = [said("ana", pair, time=time) for pair, time in zip(PAIRS, times, strict=False)]
    counts = review_progress(PAIRS[10:20], [PAIRS[11], PAIRS[90]], decided)
    assert (counts.decided, counts.remaining, counts.skipped) == (6, 10, 1)
    assert counts.per_minute == pytest.approx(15)
    assert counts.seconds_left == pytest.approx(40)


def test_pace_is_unknown_at_first() -> None:
    counts = review_progress(PAIRS[:3], [], [said("ana", PAIRS[5], time=3.0)])
    assert (counts.per_minute, counts.seconds_left) == (None, None)
