"""Lines of a decision log: a reviewer's verdict on a proposal, or an undo."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from leitmotif.corpus.tables import Sha256, Span, Table, TrackId
from leitmotif.files import sha256_json

Verdict = Literal["positive", "negative", "ambiguous", "rejected"]
VERDICTS: tuple[Verdict, ...] = ("positive", "negative", "ambiguous", "rejected")
"""The motif returns; similar sound without a return; the reviewer cannot tell; cannot be judged."""

Queue = Literal["review", "disagreements"]
QUEUES: tuple[Queue, ...] = ("review", "disagreements")
"""First decisions, which are blind to those of others; second decisions, which settle
disagreements."""

Reviewer = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""Name of a reviewer, and of the log file."""

Key = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""Made by the client for each key press; it identifies a request that is sent again."""

PairId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
LONGEST_NOTE = 2000


class JudgedSpan(Span):
    """A window as judged, after its edges were moved."""

    sha256: Sha256 | None
    """SHA-256 of its clip, a WAV file; null if no clip could be cut (such an item can be
    rejected)."""


class Versions(Table):
    """Versions of the software that the reviewer used."""

    leitmotif: str
    review: Sha256
    """Version of the code that cut the clips and recorded the decision."""
    page: Sha256


class Decision(Table):
    """A verdict on a pair of windows. It holds everything that a label needs, without the
    proposal."""

    action: Literal["decide"]
    key: Key
    reviewer: Reviewer
    time: AwareDatetime
    queue: Queue
    pair: PairId
    verdict: Verdict
    note: Annotated[str, Field(max_length=LONGEST_NOTE)]
    track_id: TrackId
    audio_sha256: Sha256
    sample_rate: Annotated[int, Field(gt=0)]
    motif: JudgedSpan
    recurrence: JudgedSpan
    proposal_id: str
    proposed_motif: Span
    proposed_recurrence: Span
    transposition: int
    """Proposed transposition in semitones."""
    score: float
    """Score of the proposal, which is hidden from the reviewer by default."""
    p: float
    texture: float
    versions: Versions


class Undo(Table):
    """Undoes an earlier line of the same log."""

    action: Literal["undo"]
    key: Key
    reviewer: Reviewer
    time: AwareDatetime
    queue: Queue
    pair: PairId
    undoes: Key
    versions: Versions


Entry = Decision | Undo
ENTRY: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="action")])


def pair_id(audio_sha256: str, sample_rate: int, motif: Span, recurrence: Span) -> str:
    """Id of the question whether one window returns in the other, 16 hex digits.

    It depends only on the audio and the two windows. A decision therefore stays valid if a later
    version of the engine proposes the same windows, whatever their score.
    """
    windows = [[span.start_sample, span.samples] for span in (motif, recurrence)]
    return sha256_json([audio_sha256, sample_rate, windows])[:16]
