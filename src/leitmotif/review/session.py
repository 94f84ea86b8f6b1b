"""A review under way: proposals and audio on one side, decisions on the other, no HTTP between."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

from leitmotif.errors import AudioError
from leitmotif.files import read_table
from leitmotif.files.provenance import code_version
from leitmotif.review.assets import page_version
from leitmotif.review.clips import CONTEXT_SECONDS, ClipStore, WindowClip
from leitmotif.review.failures import ConflictError, NotFoundError, RefusedError
from leitmotif.review.index import Index, Standing
from leitmotif.review.pictures import TrackFeatures
from leitmotif.review.queue import Item, ReviewProgress, items, order, review_progress, waiting
from leitmotif.review.requests import Press, Skip, TakeBack
from leitmotif.review.standing import DecidedPair, by_pair
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import QUEUES, Decision, JudgedSpan, Queue, Undo, Versions
from leitmotif.tables.proposals import read_proposals

SHORTEST_WINDOW_SECONDS = 0.1


@dataclass(frozen=True)
class Overview:
    """Where a reviewer stands in a queue."""

    waiting: list[str]
    """Pairs still to decide, the next one first."""
    progress: ReviewProgress
    last: Decision | None
    """What an undo takes back."""


@dataclass(frozen=True)
class ReviewSources:
    """Where a review finds what it needs, and where it writes."""

    proposals: Path
    manifest: Path
    corpus: Path
    features: Path
    decisions: Path
    work: Path
    """Clips and the index; may be deleted at any time."""


class Session:
    """The review of one queue by any number of reviewers; safe to share between threads."""

    def __init__(self, sources: ReviewSources, *, show_scores: bool = False) -> None:
        self.sources, self.show_scores = sources, show_scores
        self.index = Index(sources.work / "index.sqlite", sources.decisions)
        self.clips = ClipStore(sources.work / "clips", sources.corpus)
        self._items: dict[str, Item] = {}
        self._orders: dict[str, list[str]] = {}
        self._stamp: object = None
        self._refresh()

    @property
    def proposals(self) -> int:
        """Items in the queue, decided or not."""
        return len(self._items)

    def overview(self, reviewer: str) -> dict[Queue, Overview]:
        """Say where the reviewer stands in each queue."""
        said = self.index.standing()
        overviews: dict[Queue, Overview] = {}
        for queue in QUEUES:
            own = [
                standing
                for standing in said
                if (standing.reviewer, standing.queue) == (reviewer, queue)
            ]
            skipped = self.index.skipped(reviewer, queue)
            still = self._waiting(said, reviewer, queue, skipped)
            last = self.index.decision(own[-1].key, reviewer) if own else None
            overviews[queue] = Overview(still, review_progress(still, skipped, own), last)
        return overviews

    def next(
        self, reviewer: str, queue: Queue, *, but: frozenset[str] = frozenset()
    ) -> Item | None:
        """Return the item to hear next, other than those in ``but``; None at the end."""
        still = self.overview(reviewer)[queue].waiting
        return next((self._items[pair] for pair in still if pair not in but), None)

    def item(self, pair: str) -> Item:
        """Return an item by its pair."""
        self._refresh()
        try:
            return self._items[pair]
        except KeyError:
            raise NotFoundError(
                "this item is not in the queue",
                found=pair,
                fix="the proposals have changed: continue with the next item",
            ) from None

    def decided(self, reviewer: str, queue: Queue, pair: str) -> Decision | None:
        """Return the reviewer's own decision on an item, if there is one."""
        for standing in self.index.standing(reviewer=reviewer, queue=queue):
            if standing.pair == pair:
                return self.index.decision(standing.key, reviewer)
        return None

    def said(self, pair: str) -> list[Decision]:
        """Return the first decisions on an item, by reviewer: for the queue of disagreements."""
        said = by_pair(self.index.standing(queue="review")).get(pair)
        standing = said.first if said else []
        decisions = [self.index.decision(row.key, row.reviewer) for row in standing]
        return [decision for decision in decisions if decision is not None]

    def prepare(self, item: Item) -> tuple[WindowClip, WindowClip]:
        """Cut the item's two clips, and those of all other items of its track, in one decoding.

        Raises AudioError, and NotFoundError where the manifest lacks the track.
        """
        track, rate = _track(item), item.proposal.sample_rate
        own = self._clips(item)
        if not all(self.clips.path(clip.name).exists() for clip in own):
            beside = [self._clips(other) for other in self._items.values() if other.track == track]
            self.clips.cut(track, [clip for pair in beside for clip in pair], rate)
        for clip in own:
            self.clips.read(clip, rate)
        return own

    def features(self, track_id: str) -> TrackFeatures:
        """Return a track's stored features; raises ReviewError when they cannot be used."""
        self._refresh()
        for item in self._items.values():
            if item.proposal.track_id == track_id and item.track is not None:
                return TrackFeatures(self.sources.features, item.track)
        raise NotFoundError("this track is not in the queue", found=track_id)

    def decide(self, reviewer: str, queue: Queue, press: Press) -> tuple[Decision, bool]:
        """Record a verdict; returns it once it is on the disk, and whether it was there before."""
        if there := self.index.decision(press.key, reviewer):
            if not press.made(there):
                raise ConflictError("this key belongs to another decision", fix="reload the page")
            return there, True
        item = self.item(press.pair)
        proposal = item.proposal
        self._check_queue(reviewer, queue, press.pair)
        decision = Decision(
            action="decide",
            key=press.key,
            reviewer=reviewer,
            time=datetime.now(UTC),
            queue=queue,
            pair=press.pair,
            verdict=press.verdict,
            note=press.note,
            track_id=proposal.track_id,
            audio_sha256=_track(item).sha256,
            sample_rate=proposal.sample_rate,
            **self._judged(item, press),
            proposal_id=proposal.proposal_id,
            proposed_motif=proposal.motif,
            proposed_recurrence=proposal.recurrence,
            transposition=proposal.transposition,
            score=proposal.score,
            p=proposal.p,
            texture=proposal.texture,
            versions=versions(),
        )
        entry, repeated = self.index.record(decision)
        assert isinstance(entry, Decision)
        return entry, repeated

    def undo(self, reviewer: str, queue: Queue, take_back: TakeBack) -> tuple[Undo, bool]:
        """Take a decision back, by a further line."""
        undone = self.index.decision(take_back.undoes, reviewer)
        if undone is None or undone.queue != queue:
            raise NotFoundError("there is no such decision to undo", fix="reload the page")
        entry, repeated = self.index.record(
            Undo(
                action="undo",
                key=take_back.key,
                reviewer=reviewer,
                time=datetime.now(UTC),
                queue=queue,
                pair=undone.pair,
                undoes=take_back.undoes,
                versions=versions(),
            )
        )
        assert isinstance(entry, Undo)
        return entry, repeated

    def skip(self, reviewer: str, queue: Queue, skip: Skip) -> None:
        """Put an item at the end of the reviewer's queue."""
        self.index.skip(reviewer, queue, self.item(skip.pair).pair)

    def _waiting(
        self, said: Sequence[Standing], reviewer: str, queue: Queue, skipped: Sequence[str]
    ) -> list[str]:
        self._refresh()
        if reviewer not in self._orders:
            self._orders[reviewer] = order(list(self._items), reviewer)
        return waiting(
            self._orders[reviewer],
            by_pair(said),
            reviewer=reviewer,
            queue=queue,
            skipped=skipped,
        )

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

    def _clips(self, item: Item) -> tuple[WindowClip, WindowClip]:
        track, proposal = _track(item), item.proposal
        motif = self.clips.clip(track, proposal.motif, proposal.sample_rate)
        recurrence = self.clips.clip(track, proposal.recurrence, proposal.sample_rate)
        return motif, recurrence

    def _judged(self, item: Item, press: Press) -> dict[str, JudgedSpan]:
        """Give the windows of a verdict with the hashes of their clips; refuse impossible ones."""
        windows = {"motif": press.motif, "recurrence": press.recurrence}
        proposed = {"motif": item.proposal.motif, "recurrence": item.proposal.recurrence}
        try:
            clips = dict(zip(windows, self.prepare(item), strict=True))
        except (AudioError, NotFoundError) as error:
            if press.verdict != "rejected":
                raise RefusedError(
                    "an item that cannot be heard can only be rejected or skipped",
                    found=error.what,
                    fix="reject or skip it",
                ) from error
            return {name: JudgedSpan(**dict(proposed[name]), sha256=None) for name in windows}
        rate = item.proposal.sample_rate
        judged = {}
        for name, window in windows.items():
            _check_window(name, window, proposed[name], rate)
            sha256 = self.clips.sha256(clips[name], window, rate)
            judged[name] = JudgedSpan(**dict(window), sha256=sha256)
        return judged

    def _refresh(self) -> None:
        """Read the proposals and the manifest again if they changed, as `dvc repro` does it."""
        paths = (self.sources.proposals, self.sources.manifest)
        stamp = [path.stat().st_mtime_ns if path.exists() else None for path in paths]
        if stamp == self._stamp:
            return
        tracks = {row.track_id: row for row in read_table(self.sources.manifest, ManifestTrack)}
        self._items = items(read_proposals(self.sources.proposals), tracks)
        self._orders = {}
        self._stamp = stamp


def _track(item: Item) -> ManifestTrack:
    if item.track is None:
        raise NotFoundError(
            "the manifest has no such track",
            found=item.proposal.track_id,
            fix="run `dvc repro proposals`: the queue is older than the manifest; or skip the item",
        )
    return item.track


def _check_window(name: str, window: Span, proposed: Span, sample_rate: int) -> None:
    """Refuse a window that is too short or was moved out of its clip."""
    reach = round(CONTEXT_SECONDS * sample_rate)
    first, last = proposed.start_sample - reach, proposed.start_sample + proposed.samples + reach
    end = window.start_sample + window.samples
    if window.start_sample < first or end > last:
        raise RefusedError(
            f"the {name} was moved too far",
            found=f"samples {window.start_sample} to {end}",
            expected=f"within samples {first} to {last}, {CONTEXT_SECONDS:g} s around the proposal",
        )
    if window.samples < SHORTEST_WINDOW_SECONDS * sample_rate:
        raise RefusedError(
            f"the {name} is too short",
            found=f"{window.samples / sample_rate:.3f} s",
            expected=f"at least {SHORTEST_WINDOW_SECONDS} s",
        )


@cache
def versions() -> Versions:
    """Return the versions that decisions are recorded with."""
    return Versions(
        leitmotif=version("leitmotif"),
        review=code_version("leitmotif.review.serve"),
        page=page_version(),
    )
