"""Order of the items for a reviewer, and the reviewer's progress."""

import hashlib
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from leitmotif.corpus.tables import ManifestTrack
from leitmotif.recurrence.queue import Proposal
from leitmotif.review.decisions import Queue, pair_id
from leitmotif.review.index import Standing
from leitmotif.review.standing import Pair

BATCH = 20
"""Number of items of similar rank that are shuffled together. The best come early, but the position
of an item says almost nothing about its score."""

_PACE_OF = 20
"""Number of decisions from which the pace is computed."""

_PAUSE_SECONDS = 120.0
"""A longer gap between two decisions is a pause and does not count."""


@dataclass(frozen=True)
class Item:
    """A proposal with its track; ``track`` is None if it is not in the manifest."""

    pair: str
    proposal: Proposal
    track: ManifestTrack | None


@dataclass(frozen=True)
class Progress:
    """Progress of a reviewer in a queue."""

    decided: int
    remaining: int
    skipped: int
    """Number of skipped items among the remaining items."""
    per_minute: float | None
    """Decisions per minute from the median gap of the last decisions; None before the second."""
    seconds_left: float | None


def items(proposals: Iterable[Proposal], tracks: Mapping[str, ManifestTrack]) -> dict[str, Item]:
    """Make the items of all proposals by pair; of two with the same windows the better is kept."""
    found: dict[str, Item] = {}
    for proposal in sorted(proposals, key=lambda proposal: proposal.rank):
        track = tracks.get(proposal.track_id)
        pair = pair_id(
            track.sha256 if track else proposal.track_id,
            proposal.sample_rate,
            proposal.motif,
            proposal.recurrence,
        )
        found.setdefault(pair, Item(pair, proposal, track))
    return found


def order(pairs: Sequence[str], reviewer: str) -> list[str]:
    """Shuffle pairs, best first, within batches, in a different order for each reviewer."""

    def drawn(pair: str) -> bytes:
        return hashlib.sha256(f"{reviewer} {pair}".encode()).digest()

    batches = (pairs[start : start + BATCH] for start in range(0, len(pairs), BATCH))
    return [pair for batch in batches for pair in sorted(batch, key=drawn)]


def waiting(
    ordered: Sequence[str],
    pairs: Mapping[str, Pair[Standing]],
    *,
    reviewer: str,
    queue: Queue,
    skipped: Sequence[str],
) -> list[str]:
    """Pairs that the reviewer still has to decide, with skipped pairs at the end.

    ``ordered`` has all pairs in the reviewer's order, and ``pairs`` the current decisions. The
    first queue holds pairs on which the reviewer has not decided. The other queue holds pairs on
    which first decisions disagree.
    """
    nothing: Pair[Standing] = Pair()
    undecided = dict.fromkeys(
        pair for pair in ordered if _is_open(pairs.get(pair, nothing), reviewer, queue)
    )
    later = [pair for pair in skipped if undecided.pop(pair, pair) is None]
    return [*undecided, *later]


def progress(
    waiting_pairs: Sequence[str], skipped: Sequence[str], decided: Sequence[Standing]
) -> Progress:
    """Count, and estimate the time left; ``decided`` are the reviewer's decisions in the queue."""
    times = sorted(one.time for one in decided)[-_PACE_OF - 1 :]
    gaps = [gap for gap in (b - a for a, b in pairwise(times)) if gap <= _PAUSE_SECONDS]
    gap = statistics.median(gaps) if gaps else None
    return Progress(
        decided=len(decided),
        remaining=len(waiting_pairs),
        skipped=len(set(skipped) & set(waiting_pairs)),
        per_minute=60 / gap if gap else None,
        seconds_left=gap * len(waiting_pairs) if gap else None,
    )


def _is_open(pair: Pair[Standing], reviewer: str, queue: Queue) -> bool:
    if queue == "review":
        # A reviewer who has settled a disagreement has seen the decisions of others.
        return all(one.reviewer != reviewer for one in pair.first + pair.second)
    disagree = pair.verdict is None and len({one.verdict for one in pair.first}) > 1
    return disagree and all(one.reviewer != reviewer for one in pair.second)
