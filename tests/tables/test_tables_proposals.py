"""The review queue: what a row may hold, and that a file is a queue."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from leitmotif.errors import LeitmotifError
from leitmotif.tables.base import Span
from leitmotif.tables.proposals import Proposal, proposal_address, read_proposals, write_proposals
from tests.tables.made import proposal_row

ENGINE = "e" * 64


def span(start: int, samples: int = 32_000) -> Span:
    return Span(start_sample=start, samples=samples)


def proposal(rank: int, motif: Span | None = None, recurrence: Span | None = None) -> Proposal:
    motif, recurrence = motif or span(1000 * rank), recurrence or span(200_000 + rank)
    return proposal_row(
        proposal_id=proposal_address("track", motif, recurrence, engine=ENGINE),
        track_id="track",
        motif=motif,
        recurrence=recurrence,
        transposition=-5,
        score=1 / rank,
        texture=0.25,
        rank=rank,
    )


def test_a_queue_is_read_as_it_was_written_best_first(tmp_path: Path) -> None:
    rows = [proposal(rank) for rank in (1, 2, 3)]
    assert write_proposals(tmp_path / "queue.jsonl", reversed(rows)) == 3
    assert read_proposals(tmp_path / "queue.jsonl") == rows


def test_an_empty_queue_is_a_queue(tmp_path: Path) -> None:
    assert write_proposals(tmp_path / "queue.jsonl", []) == 0
    assert read_proposals(tmp_path / "queue.jsonl") == []


@given(starts=st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)))
def test_the_recurrence_starts_later(starts: tuple[int, int]) -> None:
    motif, recurrence = (span(start) for start in starts)
    if starts[0] < starts[1]:
        proposal(1, motif, recurrence)
    else:
        with pytest.raises(ValidationError, match="not after the motif"):
            proposal(1, motif, recurrence)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("p", 0.0),
        ("p", 1.5),
        ("texture", -0.1),
        ("score", float("nan")),
        ("transposition", 12),
        ("rank", 0),
        ("sample_rate", 0),
        ("proposal_id", "1"),
        ("track_id", "../up"),
    ],
)
def test_a_row_refuses_what_cannot_be(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        Proposal.model_validate(proposal(1).model_dump() | {field: value})


def test_the_address_changes_with_windows_track_and_engine() -> None:
    addresses = {
        proposal_address("a", span(0), span(9), engine=ENGINE),
        proposal_address("b", span(0), span(9), engine=ENGINE),
        proposal_address("a", span(1), span(9), engine=ENGINE),
        proposal_address("a", span(0), span(9, 10), engine=ENGINE),
        proposal_address("a", span(0), span(9), engine="f" * 64),
    }
    assert len(addresses) == 5


def test_a_repeated_proposal_is_refused_on_both_sides(tmp_path: Path) -> None:
    first = proposal(1)
    again = first.model_copy(update={"rank": 2})
    with pytest.raises(LeitmotifError, match="same windows twice"):
        write_proposals(tmp_path / "queue.jsonl", [first, again])
    lines = [json.dumps(row.model_dump(mode="json")) + "\n" for row in (first, again)]
    (tmp_path / "queue.jsonl").write_text("".join(lines))
    with pytest.raises(LeitmotifError, match="repeats line 1 in track_id, motif"):
        read_proposals(tmp_path / "queue.jsonl")


def test_ranks_that_skip_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LeitmotifError, match="rank 3 in line 2"):
        write_proposals(tmp_path / "queue.jsonl", [proposal(1), proposal(3)])


@pytest.mark.fault("table", "a torn line", outcome="named by file and line")
def test_a_broken_line_is_named(tmp_path: Path) -> None:
    write_proposals(tmp_path / "queue.jsonl", [proposal(1)])
    path = tmp_path / "queue.jsonl"
    path.write_text(path.read_text() + '{"score": 1}\n')
    with pytest.raises(LeitmotifError, match=r"queue.jsonl:2 is not a Proposal"):
        read_proposals(path)
