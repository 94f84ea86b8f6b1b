"""A review under way: what there is to hear, decisions on it, and no HTTP between."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import TypeVar

from leitmotif.files.provenance import code_version
from leitmotif.review.assets import page_version
from leitmotif.review.failures import ConflictError, NotFoundError, RefusedError
from leitmotif.review.index import Index
from leitmotif.review.index_rows import Standing
from leitmotif.review.judging import heard, judged
from leitmotif.review.material import ReviewMaterial, ReviewSources, track_of, within
from leitmotif.review.queue import (
    AnyQueue,
    QueueItem,
    ReviewProgress,
    review_progress,
    skipped_last,
    waiting,
)
from leitmotif.review.requests import Addition, Draft, Hearing, Press, Skip, TakeBack
from leitmotif.review.standing import DecidedPair, by_pair
from leitmotif.review.stretches import PairHere, Stretch, in_order
from leitmotif.tables.decisions import (
    QUEUES,
    Decision,
    JudgedSpan,
    Listening,
    Queue,
    Undo,
    Versions,
)

Answer = TypeVar("Answer", Decision, Listening)


@dataclass(frozen=True)
class Overview:
    """Where a reviewer stands in a queue."""

    waiting: list[str]
    """Pairs or stretches still to decide, the next one first."""
    progress: ReviewProgress
    last: Decision | Listening | None
    """What an undo takes back."""


class Session:
    """The review of all queues by any number of reviewers; safe to share between threads."""

    def __init__(self, sources: ReviewSources, *, show_scores: bool = False) -> None:
        self.sources, self.show_scores = sources, show_scores
        self.index = Index(sources.work / "index.sqlite", sources.decisions)
        self.material = ReviewMaterial(sources, self.index)

    def overview(self, reviewer: str) -> dict[AnyQueue, Overview]:
        """Say where the reviewer stands in each queue."""
        said = self.index.standing()
        overviews: dict[AnyQueue, Overview] = {}
        for queue in QUEUES:
            own = [row for row in said if (row.reviewer, row.queue) == (reviewer, queue)]
            skipped = self.index.skipped(reviewer, queue)
            still = self._waiting(said, reviewer, queue, skipped)
            last = self.index.decision(own[-1].key, reviewer) if own else None
            overviews[queue] = Overview(still, review_progress(still, skipped, own), last)
        overviews["stretches"] = self._listening(reviewer, overviews["review"])
        return overviews

    def next(
        self, reviewer: str, queue: AnyQueue, *, but: frozenset[str] = frozenset()
    ) -> QueueItem | Stretch | None:
        """Return what to hear next, other than what is in ``but``; None at the end."""
        still = self.overview(reviewer)[queue].waiting
        pair = next((pair for pair in still if pair not in but), None)
        return None if pair is None else self.offered(queue, pair)

    def offered(self, queue: AnyQueue, pair: str) -> QueueItem | Stretch:
        """Return what a queue asks about; raises NotFoundError if there is nothing such."""
        return self.material.stretch(pair) if queue == "stretches" else self.material.item(pair)

    def decided(self, reviewer: str, queue: Queue, pair: str) -> Decision | None:
        """Return the reviewer's own decision on an item, if there is one."""
        for standing in self.index.standing(reviewer=reviewer, queue=queue):
            if standing.pair == pair:
                return self.index.decision(standing.key, reviewer)
        return None

    def listened(self, reviewer: str, pair: str) -> Listening | None:
        """Return what the reviewer said of a stretch, if they did."""
        for listened in self.index.listened(reviewer=reviewer):
            if listened.pair == pair:
                return self.index.listening(listened.key, reviewer)
        return None

    def said(self, pair: str) -> list[Decision]:
        """Return the first decisions on an item, by reviewer: for the queue of disagreements."""
        said = by_pair(self.index.standing(queue="review")).get(pair)
        standing = said.first if said else []
        decisions = [self.index.decision(row.key, row.reviewer) for row in standing]
        return [decision for decision in decisions if decision is not None]

    def pairs_in(self, reviewer: str, stretch: Stretch) -> list[PairHere]:
        """Return the pairs that sound in a stretch, with the reviewer's own verdicts alone."""
        own: dict[str, Standing] = {
            standing.pair: standing for standing in self.index.standing(reviewer=reviewer)
        }
        pairs = []
        for item in self.material.items_of(stretch.track):
            standing = own.get(item.pair)
            decision = self.index.decision(standing.key, reviewer) if standing else None
            if within(decision or item, stretch):
                verdict = standing.verdict if standing else None
                pairs.append(PairHere.of(decision or item, verdict, queued=True))
        for decision in self.material.outside(reviewer, stretch.track):
            if decision.verdict == "positive" and within(decision, stretch):
                pairs.append(PairHere.of(decision, decision.verdict, queued=False))
        return sorted(pairs, key=lambda pair: pair.recurrence.start_sample)

    def decide(self, reviewer: str, queue: Queue, press: Press) -> tuple[Decision, bool]:
        """Record a verdict; returns it once it is on the disk, and whether it was there before."""
        if there := self.index.decision(press.key, reviewer):
            return _repeated(there, same=press.made(there))
        item = self.material.item(press.pair)
        self._check_queue(reviewer, queue, press.pair)
        windows = judged(self.material, item, press.motif, press.recurrence, press.verdict)
        return self._record(reviewer, queue, item, windows, press)

    def draft(self, draft: Draft) -> QueueItem:
        """Make an item of windows that were marked, to be heard; see ``ReviewMaterial.draft``."""
        return self.material.draft(
            draft.track_id, draft.motif, draft.recurrence, draft.transposition
        )

    def add(self, reviewer: str, addition: Addition) -> tuple[Decision, bool]:
        """Record a pair that the reviewer adds, as a first decision; as ``decide`` does.

        Other reviewers will find it in their queues.
        """
        if there := self.index.decision(addition.key, reviewer):
            return _repeated(there, same=addition.made(there))
        item = self.draft(Draft(**addition.model_dump(exclude={"key", "note"})))
        windows = judged(self.material, item, item.motif, item.recurrence, "positive")
        return self._record(reviewer, "review", item, windows, addition)

    def listen(self, reviewer: str, hearing: Hearing) -> tuple[Listening, bool]:
        """Record what was heard of a stretch; as ``decide`` does."""
        if there := self.index.listening(hearing.key, reviewer):
            return _repeated(there, same=hearing.made(there))
        stretch = self.material.stretch(hearing.pair)
        listening = Listening(
            action="listen",
            key=hearing.key,
            reviewer=reviewer,
            time=datetime.now(UTC),
            queue="stretches",
            pair=stretch.pair,
            verdict=hearing.verdict,
            note=hearing.note,
            track_id=stretch.track.track_id,
            audio_sha256=stretch.track.sha256,
            sample_rate=stretch.sample_rate,
            stretch=heard(self.material, stretch, hearing),
            versions=versions(),
        )
        entry, repeated = self.index.record(listening)
        assert isinstance(entry, Listening)
        return entry, repeated

    def undo(self, reviewer: str, queue: AnyQueue, take_back: TakeBack) -> tuple[Undo, bool]:
        """Take a decision or a listening back, by a further line."""
        decision = self.index.decision(take_back.undoes, reviewer)
        undone = decision or self.index.listening(take_back.undoes, reviewer)
        added_here = queue == "stretches" and decision is not None and _is_added(decision)
        if undone is None or (undone.queue != queue and not added_here):
            raise NotFoundError("there is no such decision to undo", fix="reload the page")
        entry, repeated = self.index.record(
            Undo(
                action="undo",
                key=take_back.key,
                reviewer=reviewer,
                time=datetime.now(UTC),
                queue=undone.queue,
                pair=undone.pair,
                undoes=take_back.undoes,
                versions=versions(),
            )
        )
        assert isinstance(entry, Undo)
        return entry, repeated

    def reopened(self, queue: AnyQueue, reviewer: str, undo: Undo) -> str | None:
        """Return what a queue shows after an undo; None if that is gone, as an added pair is."""
        offered = self.material.stretches() if queue == "stretches" else self.material.items()
        if undo.pair in offered:
            return undo.pair
        undone = self.index.decision(undo.undoes, reviewer)
        if queue != "stretches" or undone is None:
            return None
        stretch = self.material.stretch_at(undone.track_id, undone.recurrence.start_sample)
        return stretch.pair if stretch else None

    def skip(self, reviewer: str, queue: AnyQueue, skip: Skip) -> None:
        """Put an item at the end of the reviewer's queue."""
        self.index.skip(reviewer, queue, self.offered(queue, skip.pair).pair)

    def _waiting(
        self, said: Sequence[Standing], reviewer: str, queue: Queue, skipped: Sequence[str]
    ) -> list[str]:
        return waiting(
            self.material.order(reviewer),
            by_pair(said),
            reviewer=reviewer,
            queue=queue,
            skipped=skipped,
        )

    def _listening(self, reviewer: str, review: Overview) -> Overview:
        """Say where the reviewer stands in the stretches, given where in the first queue."""
        items = self.material.items()
        own = self.index.listened(reviewer=reviewer)
        done = {listened.pair for listened in own}
        ordered = in_order(
            (item for item in self.material.stretches().values() if item.pair not in done),
            Counter(item.track_id for item in items.values()),
            Counter(items[pair].track_id for pair in review.waiting if pair in items),
            reviewer,
        )
        skipped = self.index.skipped(reviewer, "stretches")
        still = skipped_last(ordered, skipped)
        last: Decision | Listening | None = None
        if own:
            last = self.index.listening(own[-1].key, reviewer)
        added = (
            review.last if isinstance(review.last, Decision) and _is_added(review.last) else None
        )
        if added and (last is None or added.time > last.time):
            last = added
        return Overview(still, review_progress(still, skipped, own), last)

    def _check_queue(self, reviewer: str, queue: Queue, pair: str) -> None:
        """Refuse what would blur first decisions, which are blind, and second ones."""
        said = by_pair(self.index.standing()).get(pair, DecidedPair[Standing]())
        if queue == "disagreements" and len({standing.verdict for standing in said.first}) < 2:
            raise RefusedError(
                "there is no disagreement on this item", fix="decide it in the first queue"
            )
        if queue == "review" and any(standing.reviewer == reviewer for standing in said.second):
            raise RefusedError(
                "you have settled a disagreement on this item, so you know what the others said",
                fix="continue with the next item",
            )

    def _record(
        self,
        reviewer: str,
        queue: Queue,
        item: QueueItem,
        windows: dict[str, JudgedSpan],
        sent: Press | Addition,
    ) -> tuple[Decision, bool]:
        proposal = item.proposal
        decision = Decision(
            action="decide",
            key=sent.key,
            reviewer=reviewer,
            time=datetime.now(UTC),
            queue=queue,
            pair=item.pair,
            verdict=sent.verdict if isinstance(sent, Press) else "positive",
            note=sent.note,
            track_id=item.track_id,
            audio_sha256=track_of(item).sha256,
            sample_rate=item.sample_rate,
            **windows,
            proposal_id=proposal.proposal_id if proposal else None,
            proposed_motif=item.motif,
            proposed_recurrence=item.recurrence,
            transposition=item.transposition,
            score=proposal.score if proposal else None,
            p=proposal.p if proposal else None,
            texture=proposal.texture if proposal else None,
            versions=versions(),
        )
        entry, repeated = self.index.record(decision)
        assert isinstance(entry, Decision)
        return entry, repeated


def _repeated(there: Answer, *, same: bool) -> tuple[Answer, bool]:
    if not same:
        raise ConflictError("this key belongs to another decision", fix="reload the page")
    return there, True


def _is_added(decision: Decision) -> bool:
    return decision.proposal_id is None and decision.imported is None


@cache
def versions() -> Versions:
    """Return the versions that decisions are recorded with."""
    return Versions(
        leitmotif=version("leitmotif"),
        review=code_version("leitmotif.review.serve"),
        page=page_version(),
    )
