"""Lines of a decision log: what one person heard, and what was taken back.

Three kinds: a decision on a pair of windows, proposed by the machine or added by a person; a
listening, which says that nothing else returns in a stretch; and an undo.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from leitmotif.files import sha256_json
from leitmotif.tables.base import SampleRate, Sha256, Span, Table, TrackId

Verdict = Literal["positive", "negative", "ambiguous", "rejected"]
VERDICTS: tuple[Verdict, ...] = ("positive", "negative", "ambiguous", "rejected")
"""The motif returns; it sounds alike but is no return; cannot be told; cannot be judged at all."""

Queue = Literal["review", "disagreements"]
QUEUES: tuple[Queue, ...] = ("review", "disagreements")
"""First decisions, each blind to the others'; and second ones, where the first disagree."""

Stretches = Literal["stretches"]
"""The queue of stretches to listen to, which holds listenings in place of decisions."""

Heard = Literal["nothing_else", "cannot_tell"]
HEARD: tuple[Heard, ...] = ("nothing_else", "cannot_tell")
"""Nothing returns in the stretch but what stands as a positive pair; or that cannot be told."""

Reviewer = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""Also the name of the log's file."""

Key = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""Made by the client, once for each press of a key: a request that is sent again is known by it."""

PairId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
LONGEST_NOTE = 2000


class JudgedSpan(Span):
    """A window as it was judged, after nudging."""

    sha256: Sha256 | None
    """Of its clip, a WAV file; null where no clip could be cut (such an item can be rejected)."""


class Versions(Table):
    """What the reviewer worked with."""

    leitmotif: str
    review: Sha256
    """SHA-256 of the code that cut the clips and recorded the decision."""
    page: Sha256


class Imported(Table):
    """The file of annotations that a line was made from, in place of a key that was pressed."""

    file: str
    """Its name, without folders."""
    sha256: Sha256
    format: Literal["csv", "bps", "jams"]
    aligned: str | None = None
    """Of an excerpt the points ``ANNOTATED=TRACK``, in seconds, as they were typed."""


class Decision(Table):
    """One verdict on one pair of windows. It says all that a label needs, without the proposal.

    A pair that a person added has no proposal: ``proposal_id``, ``score``, ``p`` and ``texture``
    are null, and the proposed windows are those with which it was added.
    """

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
    sample_rate: SampleRate
    motif: JudgedSpan
    recurrence: JudgedSpan
    proposal_id: str | None
    """Null for a pair that a person added."""
    proposed_motif: Span
    proposed_recurrence: Span
    transposition: int
    """Semitones, as proposed."""
    score: float | None
    """The proposal's, which the reviewer did not see unless told to."""
    p: float | None
    texture: float | None
    versions: Versions
    imported: Imported | None = None


class Listening(Table):
    """What one person heard of one stretch of a recording, beside the pairs that stand.

    Absence is known only from these lines: where nobody listened, a recurrence may be missing.
    """

    action: Literal["listen"]
    key: Key
    reviewer: Reviewer
    time: AwareDatetime
    queue: Stretches
    pair: PairId
    """Id of the stretch as it was offered: ``stretch_id``."""
    verdict: Heard
    note: Annotated[str, Field(max_length=LONGEST_NOTE)]
    track_id: TrackId
    audio_sha256: Sha256
    sample_rate: SampleRate
    stretch: JudgedSpan
    """What was listened to. Onsets of recurrences are known there; their motifs may be earlier."""
    versions: Versions
    imported: Imported | None = None


class Undo(Table):
    """Takes back an earlier line of the same log."""

    action: Literal["undo"]
    key: Key
    reviewer: Reviewer
    time: AwareDatetime
    queue: Queue | Stretches
    pair: PairId
    undoes: Key
    versions: Versions


Entry = Decision | Listening | Undo
ENTRY: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="action")])


def pair_id(audio_sha256: str, sample_rate: int, motif: Span, recurrence: Span) -> str:
    """Name the question "does this window return in that one?", 16 hex digits.

    It depends on the audio and the two windows only. A decision therefore stays valid when a later
    version of the engine proposes the same windows, whatever it scores them.
    """
    windows = [[span.start_sample, span.samples] for span in (motif, recurrence)]
    return sha256_json([audio_sha256, sample_rate, windows])[:16]


def stretch_id(audio_sha256: str, sample_rate: int, stretch: Span) -> str:
    """Name the question "does anything else return in this stretch?", 16 hex digits."""
    return sha256_json([audio_sha256, sample_rate, [stretch.start_sample, stretch.samples]])[:16]
