"""Rows of truth.jsonl, which lies beside a composed corpus: what is known of each piece."""

from typing import Literal

from pydantic import Field

from leitmotif.tables.base import Span, Table, TrackId

TRUTH = "truth.jsonl"
Variation = Literal["exact", "instrument", "transposed", "ornamented"]
"""How a motif returns: as stated, on another instrument, higher, or with grace notes."""


class Slot(Span):
    """Where the motif returns or does not, and the part of the cue that decided it."""

    returns: bool
    variation: Variation | None
    """How the motif returns; None where it does not."""
    transposition: int
    """Semitones by which the return lies higher than the motif; 0 where it does not return."""
    cue: Span


class Truth(Table):
    """A row of truth.jsonl: what is known of one composed track."""

    KEY = ("track_id",)

    track_id: TrackId
    seed: int
    index: int
    """``score_of`` draws the score again, and with it the twins."""
    bars: int = Field(ge=1)
    """How many of the world's bars sound."""
    prompt: str
    ostinato: bool
    """Whether one bar of filler sounds over and over: repetition that is no motif."""
    drums: bool
    """Whether a drum pattern loops below the whole piece."""
    motif: Span
    """Where it is first heard."""
    statements: list[Span]
    """Where it is heard again whatever the cue says."""
    cue: Span
    slots: list[Slot]
