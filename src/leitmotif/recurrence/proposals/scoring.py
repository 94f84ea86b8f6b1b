"""Compares proposals with the ground truth: the organism's planted motifs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from leitmotif.tables.base import Span
from leitmotif.tables.proposals import Proposal
from leitmotif.tables.truth import Truth

MATCH = 0.5
"""Minimum intersection over union at which a proposed window matches a planted window (the
threshold of mir_eval's segment and pattern measures)."""


@dataclass(frozen=True)
class Matches:
    """Counts of proposals and planted recurrences."""

    proposals: int = 0
    correct: int = 0
    """Proposals whose windows match two different planted windows."""
    recurrences: int = 0
    found: int = 0
    """Planted recurrences that a correct proposal finds."""

    @property
    def precision(self) -> float | None:
        """Share of correct proposals; None if nothing was proposed."""
        return self.correct / self.proposals if self.proposals else None

    @property
    def recall(self) -> float | None:
        """Share of planted recurrences that are found; None if nothing was planted."""
        return self.found / self.recurrences if self.recurrences else None

    def __add__(self, other: "Matches") -> "Matches":
        return Matches(
            self.proposals + other.proposals,
            self.correct + other.correct,
            self.recurrences + other.recurrences,
            self.found + other.found,
        )


def has_distractors(truth: Truth) -> bool:
    """Whether a bar repeats as an ostinato, drums loop, or the motif returns with a variation."""
    guises = {slot.variation for slot in truth.slots if slot.returns}
    return truth.ostinato or truth.drums or not guises <= {"exact"}


def count(truths: Iterable[Truth], proposals: Mapping[str, list[Proposal]]) -> Matches:
    """Count over all tracks of ``truths``, including tracks without proposals."""
    total = Matches()
    for truth in truths:
        total += _count(planted(truth), proposals.get(truth.track_id, []))
    return total


def planted(truth: Truth) -> list[Span]:
    """Windows in which the motif sounds, in order."""
    slots = [
        Span(start_sample=slot.start_sample, samples=slot.samples)
        for slot in truth.slots
        if slot.returns
    ]
    return [truth.motif, *truth.statements, *slots]


def _count(windows: list[Span], proposals: list[Proposal]) -> Matches:
    matched, correct = set(), 0
    for proposal in proposals:
        motif, recurrence = (_planted_at(span, windows) for span in _spans(proposal))
        if motif is not None and recurrence is not None and motif != recurrence:
            correct += 1
            matched.add(recurrence)
    return Matches(len(proposals), correct, len(windows) - 1, len(matched))


def _spans(proposal: Proposal) -> tuple[Span, Span]:
    return proposal.motif, proposal.recurrence


def _planted_at(span: Span, windows: list[Span]) -> int | None:
    overlaps = [overlap(span, window) for window in windows]
    best = max(range(len(windows)), key=overlaps.__getitem__)
    return best if overlaps[best] >= MATCH else None


def overlap(span: Span, other: Span) -> float:
    """Intersection over union."""
    ends = span.start_sample + span.samples, other.start_sample + other.samples
    both = min(ends) - max(span.start_sample, other.start_sample)
    either = max(ends) - min(span.start_sample, other.start_sample)
    return max(0, both) / either
