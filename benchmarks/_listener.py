"""A listener who knows the score: decides every proposal, adds what was missed, hears the rest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.files import read_table
from leitmotif.recurrence.proposals.scoring import MATCH, overlap
from leitmotif.review.known import searched
from leitmotif.review.log import append
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import (
    Decision,
    Entry,
    JudgedSpan,
    Listening,
    Verdict,
    Versions,
    pair_id,
    stretch_id,
)
from leitmotif.tables.proposals import Proposal, read_proposals
from leitmotif.tables.truth import Truth

LISTENER = "score"
SHARE = 0.5
"""Of a window that lies within a statement or return of the motif, for it to be one."""


@dataclass(frozen=True)
class Return:
    """A window in which the motif returns, in samples at SAMPLE_RATE."""

    window: Span
    transposition: int = 0
    """Semitones by which it lies higher."""


@dataclass(frozen=True)
class Heard:
    """What the listener knows of one track: its motif, and where that returns."""

    motif: Span
    returns: Sequence[Return]

    @classmethod
    def of_score(cls, truth: Truth) -> "Heard":
        """Take it from the score of a composed piece."""
        again = [Return(_plain(span)) for span in truth.statements]
        slots = [Return(_plain(s), s.transposition) for s in truth.slots if s.returns]
        return cls(_plain(truth.motif), [*again, *slots])

    @property
    def sounding(self) -> list[Span]:
        """All windows in which the motif sounds."""
        return [self.motif, *(each.window for each in self.returns)]


def decide(root: Path, heard: Mapping[str, Heard]) -> None:
    """Write the listener's log below ``root``, unless it is there; ``heard`` is by track id."""
    log = root / f"data/decisions/{LISTENER}.jsonl"
    if log.exists():
        return
    proposals = read_proposals(root / "data/proposals.jsonl")
    number = 0
    for track in read_table(root / "data/manifest.jsonl", ManifestTrack):
        own = [proposal for proposal in proposals if proposal.track_id == track.track_id]
        for entry in entries(track, own, heard[track.track_id]):
            numbered = {"key": f"{number:032x}", "time": datetime.fromtimestamp(number, UTC)}
            append(log, entry.model_copy(update=numbered))
            number += 1


def entries(track: ManifestTrack, proposals: Sequence[Proposal], heard: Heard) -> Iterator[Entry]:
    """What is said of one track: each proposal, the returns that none has, and nothing else."""
    found = []
    for proposal in proposals:
        decision = _decided(track, proposal, heard)
        if decision.verdict == "positive":
            found.append(proposal.recurrence)
        yield decision
    for each in missed(heard, found):
        added = _decision(track, heard.motif, each.window, "positive")
        yield added.model_copy(update={"transposition": each.transposition})
    for stretch in searched(track):
        yield Listening(
            action="listen",
            queue="stretches",
            pair=stretch_id(track.sha256, SAMPLE_RATE, stretch),
            verdict="nothing_else",
            stretch=_judged(stretch),
            **_of(track),
        )


def is_return(proposal: Proposal, heard: Heard) -> bool:
    """Whether the motif sounds in both windows of a proposal."""
    windows = (proposal.motif, proposal.recurrence)
    return all(any(_within(window, motif) for motif in heard.sounding) for window in windows)


def missed(heard: Heard, recurrences: Sequence[Span]) -> list[Return]:
    """The returns that none of the recurrences is."""
    return [
        each
        for each in heard.returns
        if all(overlap(each.window, other) < MATCH for other in recurrences)
    ]


def _decided(track: ManifestTrack, proposal: Proposal, heard: Heard) -> Decision:
    verdict: Verdict = "positive" if is_return(proposal, heard) else "negative"
    decision = _decision(track, proposal.motif, proposal.recurrence, verdict)
    shared = ("proposal_id", "transposition", "score", "p", "texture")
    return decision.model_copy(update={name: getattr(proposal, name) for name in shared})


def _decision(track: ManifestTrack, motif: Span, recurrence: Span, verdict: Verdict) -> Decision:
    """On a pair that has no proposal."""
    return Decision(
        action="decide",
        queue="review",
        pair=pair_id(track.sha256, SAMPLE_RATE, motif, recurrence),
        verdict=verdict,
        motif=_judged(motif),
        recurrence=_judged(recurrence),
        proposal_id=None,
        proposed_motif=motif,
        proposed_recurrence=recurrence,
        transposition=0,
        score=None,
        p=None,
        texture=None,
        **_of(track),
    )


def _of(track: ManifestTrack) -> dict[str, Any]:
    """What all lines of a track have; key and time are given when they are written."""
    return {
        "key": "0" * 32,
        "reviewer": LISTENER,
        "time": datetime.fromtimestamp(0, UTC),
        "note": "",
        "track_id": track.track_id,
        "audio_sha256": track.sha256,
        "sample_rate": SAMPLE_RATE,
        "versions": Versions(leitmotif="0", review="0" * 64, page="0" * 64),
    }


def _plain(span: Span) -> Span:
    """Where a window lies, without what else a score says of it."""
    return Span(start_sample=span.start_sample, samples=span.samples)


def _judged(span: Span) -> JudgedSpan:
    """A window that was heard as it was offered."""
    return JudgedSpan(start_sample=span.start_sample, samples=span.samples, sha256=None)


def _within(window: Span, motif: Span) -> bool:
    """Whether enough of a window lies within a motif."""
    start = max(window.start_sample, motif.start_sample)
    end = min(window.start_sample + window.samples, motif.start_sample + motif.samples)
    return end - start >= SHARE * window.samples
