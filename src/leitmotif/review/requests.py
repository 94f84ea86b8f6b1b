"""What the page sends."""

from typing import Annotated

from pydantic import Field

from leitmotif.tables.base import Span, Table, TrackId
from leitmotif.tables.decisions import (
    LONGEST_NOTE,
    Decision,
    Heard,
    Key,
    Listening,
    PairId,
    Verdict,
)

Note = Annotated[str, Field(max_length=LONGEST_NOTE)]
Semitones = Annotated[int, Field(ge=-11, le=11)]


class Press(Table):
    """A verdict, with the windows as they were set."""

    key: Key
    pair: PairId
    verdict: Verdict
    motif: Span
    recurrence: Span
    note: Note = ""

    def made(self, decision: Decision) -> bool:
        """Say whether this press led to ``decision``, which has its key."""
        return (self.pair, self.verdict) == (decision.pair, decision.verdict)


class Draft(Table):
    """A pair that a person marked, to be heard before it is saved."""

    track_id: TrackId
    motif: Span
    recurrence: Span
    transposition: Semitones | None
    """None if it is to be estimated from the chroma."""


class Addition(Table):
    """A pair that a person adds: a positive decision without a proposal."""

    key: Key
    track_id: TrackId
    motif: Span
    recurrence: Span
    transposition: Semitones
    note: Note = ""

    def made(self, decision: Decision) -> bool:
        """Say whether this request led to ``decision``, which has its key."""
        windows = (decision.proposed_motif, decision.proposed_recurrence)
        return decision.proposal_id is None and (self.motif, self.recurrence) == windows


class Hearing(Table):
    """What was heard of a stretch."""

    key: Key
    pair: PairId
    """Id of the stretch as it was offered."""
    verdict: Heard
    stretch: Span
    """What was listened to."""
    note: Note = ""

    def made(self, listening: Listening) -> bool:
        """Say whether this request led to ``listening``, which has its key."""
        return (self.pair, self.verdict) == (listening.pair, listening.verdict)


class TakeBack(Table):
    """An undo of the decision or listening with the key ``undoes``."""

    key: Key
    undoes: Key


class Skip(Table):
    """An item that is to come later."""

    pair: PairId
