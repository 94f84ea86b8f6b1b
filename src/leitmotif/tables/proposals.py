"""The review queue, data/proposals.jsonl: each row is a motif window and a window of its return."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from leitmotif.errors import LeitmotifError
from leitmotif.files import read_table, sha256_json, write_table
from leitmotif.tables.base import SampleRate, Sha256, Share, Span, Table, TrackId


class Proposal(Table):
    """A suggestion that the same motif sounds in two windows."""

    KEY = ("track_id", "motif.start_sample", "recurrence.start_sample", "transposition")

    proposal_id: Sha256
    """Address of the proposal: ``proposal_address`` of track, windows and engine."""
    track_id: TrackId
    sample_rate: SampleRate
    """Sample rate of the windows in Hz."""
    motif: Span
    recurrence: Span
    """Starts later than the motif. Its length differs if the tempo does."""
    transposition: Annotated[int, Field(ge=-11, le=11)]
    """Semitones by which the recurrence lies higher than the motif."""
    score: Annotated[float, Field(allow_inf_nan=False)]
    """Higher is better; comparable between tracks."""
    p: Annotated[float, Field(gt=0, le=1)]
    """Family-wise p-value, with a track as the family: the probability that the best suggestion for
    a piece of this texture in which nothing returns scores as high."""
    texture: Share
    """Share of the similarity that the texture around the windows explains, from 0 to 1."""
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
    """SHA-256 of a proposal: the same for the same windows of a track by the same engine.

    ``engine`` is the version of the code and the settings that made the proposal.
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

    Raises LeitmotifError if there is no such file, if a line is not a Proposal (the error names
    line and field), if an id occurs twice, or if the ranks are not 1, 2, 3, …
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
