"""Rows of data/labels.jsonl and data/coverage.jsonl: what is known of recurrences, and how much."""

from typing import Annotated, Literal

from pydantic import Field

from leitmotif.tables.base import SampleRate, Span, Table, TrackId

Source = Literal["score", "decisions"]


class Label(Table):
    """A row of data/labels.jsonl: a motif and a verified return of it."""

    KEY = ("track_id", "motif.start_sample", "recurrence.start_sample", "transposition", "pair")

    track_id: TrackId
    sample_rate: SampleRate
    motif: Span
    recurrence: Span
    transposition: int
    """Semitones by which the recurrence lies higher."""
    strength: float
    """1 by the score; by decisions the proposal's score, which grows with likeness. A pair that a
    person added has the likeness that the engine hears in it."""
    source: Source
    reviewers: list[str]
    """Who decided it; empty by the score."""
    pair: str | None
    """Pair of the decisions; null by the score."""


class Coverage(Table):
    """A row of data/coverage.jsonl: how much of a track is known. One for each manifest track."""

    KEY = ("track_id",)

    track_id: TrackId
    source: Source
    labels: Annotated[int, Field(ge=0)]
    proposals: Annotated[int, Field(ge=0)]
    pending: Annotated[int, Field(ge=0)]
    """Pairs without enough decisions, or on which the reviewers disagree: proposals, and pairs that
    people added."""
    known: list[Span]
    """Where every onset of a recurrence is known, ascending and apart, at ``sample_rate``: all of
    the piece by the score; by decisions the stretches that were listened to and in which no pair
    is pending. Elsewhere a recurrence may be missing, and no row may rest on its absence."""
    sample_rate: SampleRate
    complete: bool
    """All that is searched of the track is known."""
