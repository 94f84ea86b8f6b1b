"""What a reviewer hears next, and how far along they are."""

import hashlib
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from leitmotif.review.index_rows import Listened, Standing
from leitmotif.review.standing import DecidedPair
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import QUEUES, Decision, Queue, Stretches, pair_id
from leitmotif.tables.proposals import Proposal

AnyQueue = Queue | Stretches
ALL_QUEUES: tuple[AnyQueue, ...] = (*QUEUES, "stretches")

BATCH = 20
"""Items of similar rank that are shuffled together: the best come early, and yet the place of an
item says next to nothing about its score."""

_PACE_OF = 20
"""Decisions from which the pace is taken."""

_PAUSE_SECONDS = 120.0
"""A longer gap between two decisions is a pause and does not count."""


@dataclass(frozen=True)
class QueueItem:
    """A pair of windows to decide on: a proposal, or a pair that a person added."""

    pair: str
    track_id: str
    track: ManifestTrack | None
    """None if the manifest has none of that name."""
    sample_rate: int
    motif: Span
    recurrence: Span
    transposition: int
    """Semitones by which the recurrence lies higher."""
    proposal: Proposal | None
    """None for a pair that a person added."""


@dataclass(frozen=True)
class ReviewProgress:
    """How far a reviewer is in a queue."""

    decided: int
    remaining: int
    skipped: int
    """Number of the remaining ones that were skipped."""
    per_minute: float | None
    """Decisions a minute, from the median gap of the last; None before the second one."""
    seconds_left: float | None


def items(
    proposals: Iterable[Proposal], tracks: Mapping[str, ManifestTrack]
) -> dict[str, QueueItem]:
    """Make the items of all proposals, by pair; the better of two with equal windows is kept."""
    queued: dict[str, QueueItem] = {}
    for proposal in sorted(proposals, key=lambda proposal: proposal.rank):
        track = tracks.get(proposal.track_id)
        pair = pair_id(
            track.sha256 if track else proposal.track_id,
            proposal.sample_rate,
            proposal.motif,
            proposal.recurrence,
        )
        item = QueueItem(
            pair=pair,
            track_id=proposal.track_id,
            track=track,
            sample_rate=proposal.sample_rate,
            motif=proposal.motif,
            recurrence=proposal.recurrence,
            transposition=proposal.transposition,
            proposal=proposal,
        )
        queued.setdefault(pair, item)
    return queued


def added_items(
    decisions: Iterable[Decision], tracks: Mapping[str, ManifestTrack]
) -> dict[str, QueueItem]:
    """Make the items of pairs that people added, by pair, for the other reviewers.

    ``tracks`` are by the SHA-256 of their recording. What is on other recordings, or was proposed
    by the machine, is left out.
    """
    queued: dict[str, QueueItem] = {}
    for decision in decisions:
        track = tracks.get(decision.audio_sha256)
        if decision.proposal_id is not None or track is None:
            continue
        item = QueueItem(
            pair=decision.pair,
            track_id=track.track_id,
            track=track,
            sample_rate=decision.sample_rate,
            motif=decision.proposed_motif,
            recurrence=decision.proposed_recurrence,
            transposition=decision.transposition,
            proposal=None,
        )
        queued.setdefault(decision.pair, item)
    return queued


def order(pairs: Sequence[str], reviewer: str, added: Collection[str] = ()) -> list[str]:
    """Shuffle pairs, best first, within batches; each reviewer has an order of their own.

    Those that people ``added`` come in any batch: their place does not tell them from proposals.
    """
    batches = [list(pairs[start : start + BATCH]) for start in range(0, len(pairs), BATCH)] or [[]]
    for pair in added:
        batches[int.from_bytes(drawn(reviewer, pair)[:8]) % len(batches)].append(pair)
    return [pair for batch in batches for pair in sorted(batch, key=lambda p: drawn(reviewer, p))]


def waiting(
    ordered: Sequence[str],
    pairs: Mapping[str, DecidedPair[Standing]],
    *,
    reviewer: str,
    queue: Queue,
    skipped: Sequence[str],
) -> list[str]:
    """Pairs that the reviewer has still to decide; the skipped ones at the end.

    ``ordered`` are all pairs in the reviewer's order; ``pairs`` holds what stands. The first queue
    holds what the reviewer has said nothing of; the other one, what first decisions disagree on.
    """
    nothing: DecidedPair[Standing] = DecidedPair()
    undecided = (pair for pair in ordered if _is_open(pairs.get(pair, nothing), reviewer, queue))
    return skipped_last(undecided, skipped)


def skipped_last(still: Iterable[str], skipped: Sequence[str]) -> list[str]:
    """Put what was skipped at the end, in the order in which it was."""
    kept = dict.fromkeys(still)
    later = [pair for pair in skipped if kept.pop(pair, pair) is None]
    return [*kept, *later]


def review_progress(
    waiting_pairs: Sequence[str],
    skipped: Sequence[str],
    decided: Sequence[Standing] | Sequence[Listened],
) -> ReviewProgress:
    """Count, and estimate the time left; ``decided`` are the reviewer's decisions in the queue."""
    times = sorted(standing.time for standing in decided)[-_PACE_OF - 1 :]
    gaps = [gap for gap in (b - a for a, b in pairwise(times)) if gap <= _PAUSE_SECONDS]
    gap = statistics.median(gaps) if gaps else None
    return ReviewProgress(
        decided=len(decided),
        remaining=len(waiting_pairs),
        skipped=len(set(skipped) & set(waiting_pairs)),
        per_minute=60 / gap if gap else None,
        seconds_left=gap * len(waiting_pairs) if gap else None,
    )


def drawn(reviewer: str, name: str) -> bytes:
    """Draw a place for ``name``, another one for each reviewer."""
    return hashlib.sha256(f"{reviewer} {name}".encode()).digest()


def _is_open(pair: DecidedPair[Standing], reviewer: str, queue: Queue) -> bool:
    if queue == "review":
        # Who has settled a disagreement has seen what the others said.
        return all(standing.reviewer != reviewer for standing in pair.first + pair.second)
    disagree = pair.verdict is None and len({standing.verdict for standing in pair.first}) > 1
    return disagree and all(standing.reviewer != reviewer for standing in pair.second)
