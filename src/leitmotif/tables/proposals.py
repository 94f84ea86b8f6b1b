"""The review queue, data/proposals.jsonl: a row is one motif window and one return of it."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from leitmotif.errors import LeitmotifError
from leitmotif.files import read_table, sha256_json, write_table
from leitmotif.tables.base import Sha256, Span, Table, TrackId

Share = Annotated[float, Field(ge=0, le=1)]


class Proposal(Table):
    """What the machine suggests: these two windows sound the same motif."""

    proposal_id: Sha256
    """Address of the suggestion, ``proposal_address`` of track, windows and engine."""
    track_id: TrackId
    sample_rate: Annotated[int, Field(gt=0)]
    """Hz, in which the windows count samples."""
    motif: Span
    recurrence: Span
    """Starts later than the motif; its length may differ, as tempo may."""
    transposition: Annotated[int, Field(ge=-11, le=11)]
    """Semitones by which the recurrence lies higher than the motif."""
    score: Annotated[float, Field(allow_inf_nan=False)]
    """Higher is better; comparable between tracks."""
    p: Annotated[float, Field(gt=0, le=1)]
    """How often the best suggestion for a piece of this texture in which nothing returns scores as
    high: a family-wise p-value, one family being a track."""
    texture: Share
    """How much of the similarity the texture around the windows explains: 0 none, 1 all of it."""
    rank: Annotated[int, Field(ge=1)]
    """Place in the queue, the best at 1."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.recurrence.start_sample <= self.motif.start_sample:
            raise ValueError(
                f"the recurrence starts at sample {self.recurrence.start_sample}, "
                f"not after the motif at {self.motif.start_sample}"
            )
        return self


def proposal_address(track_id: str, motif: Span, recurrence: Span, *, engine: str) -> str:
    """SHA-256 of a suggestion: equal for equal windows of a track by equal engines.

    ``engine`` is the version of code and settings that made it.
    """
    windows = [[span.start_sample, span.samples] for span in (motif, recurrence)]
    return sha256_json({"track": track_id, "windows": windows, "engine": engine})


def write_proposals(path: Path, proposals: Iterable[Proposal]) -> int:
    """Write the queue, best first; returns its length. Raises LeitmotifError if it is not one."""
    ordered = sorted(proposals, key=lambda proposal: proposal.rank)
    _check(ordered, path)
    return write_table(path, ordered)


def read_proposals(path: Path) -> list[Proposal]:
    """Read the queue, best first.

    Raises LeitmotifError: there is no such file, a line is no Proposal (the line and the field are
    named), an id occurs twice, or the ranks are not 1, 2, 3, …
    """
    proposals = read_table(path, Proposal)
    _check(proposals, path)
    return proposals


def _check(proposals: list[Proposal], path: Path) -> None:
    counts = Counter(proposal.proposal_id for proposal in proposals)
    repeated = sorted(name for name, count in counts.items() if count > 1)
    if repeated:
        raise LeitmotifError(
            f"{path} proposes the same windows twice",
            found=f"proposal_id {repeated[0]} {counts[repeated[0]]} times",
            expected="each id once",
            fix="run `dvc repro proposals`",
        )
    for rank, proposal in enumerate(proposals, start=1):
        if proposal.rank != rank:
            raise LeitmotifError(
                f"{path} is not in the order of its ranks",
                found=f"rank {proposal.rank} in line {rank}",
                expected=f"rank {rank}",
                fix="run `dvc repro proposals`",
            )
