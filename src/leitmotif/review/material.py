"""What a review is about: the pairs of the queue, the stretches, their recordings and clips."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile

from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.errors import ReviewError
from leitmotif.files import read_table
from leitmotif.review.clips import ClipStore, WindowClip
from leitmotif.review.failures import DoubledError, NotFoundError
from leitmotif.review.index import Index
from leitmotif.review.limits import check_added, nearest
from leitmotif.review.pictures import TrackFeatures, likeness
from leitmotif.review.queue import QueueItem, added_items, items, order
from leitmotif.review.stretches import Stretch, overlap, sound_of, stretches
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import Decision, pair_id
from leitmotif.tables.proposals import read_proposals

SLACK_SECONDS = 1.0
"""Durations in metadata are rounded: a recording may end this much before its last window does."""


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


class ReviewMaterial:
    """Pairs, stretches and sound; reads again what changed, as `dvc repro` changes it.

    Safe to share between threads: what is read is replaced as a whole.
    """

    def __init__(self, sources: ReviewSources, index: Index) -> None:
        self.sources, self.index = sources, index
        self.clips = ClipStore(sources.work / "clips", sources.corpus)
        self._tracks: dict[str, ManifestTrack] = {}
        self._proposed: dict[str, QueueItem] = {}
        self._stretches: dict[str, Stretch] = {}
        self._added: dict[tuple[str, str], Decision] = {}
        self._stamp: object = None
        self._refresh()

    @property
    def proposals(self) -> int:
        """Pairs that the machine proposed, decided or not."""
        self._refresh()
        return len(self._proposed)

    def items(self) -> dict[str, QueueItem]:
        """Return all pairs to decide on, those that people added at the end."""
        self._refresh()
        return self._proposed | self._added_items()

    def order(self, reviewer: str) -> list[str]:
        """Return all pairs in the reviewer's order."""
        self._refresh()
        return order(list(self._proposed), reviewer, self._added_items())

    def item(self, pair: str) -> QueueItem:
        """Return an item by its pair."""
        try:
            return self.items()[pair]
        except KeyError:
            raise NotFoundError(
                "this item is not in the queue",
                found=pair,
                fix="the proposals have changed: continue with the next item",
            ) from None

    def stretches(self) -> dict[str, Stretch]:
        """Return all stretches of all tracks."""
        self._refresh()
        return self._stretches

    def stretch(self, pair: str) -> Stretch:
        """Return a stretch by its id."""
        try:
            return self.stretches()[pair]
        except KeyError:
            raise NotFoundError(
                "this stretch is not in the manifest",
                found=pair,
                fix="the manifest has changed: continue with the next stretch",
            ) from None

    def stretch_at(self, track_id: str, sample: int) -> Stretch | None:
        """Return the stretch of a track in which a sample lies, or its first one."""
        own = [item for item in self.stretches().values() if item.track.track_id == track_id]
        inside = (item for item in own if item.span.start_sample <= sample < item.end)
        return next(inside, own[0] if own else None)

    def draft(
        self, track_id: str, motif: Span, recurrence: Span, transposition: int | None
    ) -> QueueItem:
        """Make an item of windows that a person marked.

        ``transposition`` is estimated if it is None, and 0 where there is no chroma. Raises
        NotFoundError, RefusedError for windows that cannot be a pair, and DoubledError where one
        with nearly these windows is in the queue.
        """
        self._refresh()
        track = self._tracks.get(track_id)
        if track is None:
            raise NotFoundError("this track is not in the manifest", found=track_id)
        check_added(track, motif, recurrence, SAMPLE_RATE)
        there = nearest(motif, recurrence, self.items_of(track))
        if there is not None:
            raise _doubled(there)
        if transposition is None:
            transposition = self._estimated(track, motif, recurrence)
        pair = pair_id(track.sha256, SAMPLE_RATE, motif, recurrence)
        return QueueItem(pair, track_id, track, SAMPLE_RATE, motif, recurrence, transposition, None)

    def items_of(self, track: ManifestTrack) -> list[QueueItem]:
        """Return all pairs of a track."""
        return [item for item in self.items().values() if item.track == track]

    def prepare(self, item: QueueItem) -> tuple[WindowClip, WindowClip]:
        """Cut the item's two clips, and those of all other items of its track, in one decoding.

        Raises AudioError, and NotFoundError where the manifest lacks the track.
        """
        track, rate = track_of(item), item.sample_rate
        own = self._clips(item)
        if not all(self.clips.path(clip.name).exists() for clip in own):
            beside = (self._clips(other) for other in self.items_of(track))
            self.clips.cut(track, [*own, *(clip for pair in beside for clip in pair)], rate)
        for clip in own:
            self.clips.read(clip, rate)
        return own

    def sound(self, stretch: Stretch) -> WindowClip:
        """Cut the sound of a stretch; its window ends where the recording does, if that is earlier.

        Raises AudioError where the recording cannot be had, or ends long before.
        """
        rate = stretch.sample_rate
        clip = self.clips.clip(stretch.track, stretch.span, rate, within=sound_of(stretch))
        self.clips.cut(stretch.track, [clip], rate)
        end = clip.start_sample + soundfile.info(self.clips.path(clip.name)).frames
        missing = stretch.end - end
        if 0 < missing <= SLACK_SECONDS * rate:
            samples = stretch.span.samples - missing
            if samples > 0:
                clip = replace(clip, window=stretch.span.model_copy(update={"samples": samples}))
        self.clips.read(clip, rate)
        return clip

    def features(self, track_id: str) -> TrackFeatures:
        """Return a track's stored features; raises ReviewError when they cannot be used."""
        self._refresh()
        track = self._tracks.get(track_id)
        if track is None:
            raise NotFoundError("this track is not in the manifest", found=track_id)
        return TrackFeatures(self.sources.features, track)

    def _estimated(self, track: ManifestTrack, motif: Span, recurrence: Span) -> int:
        try:
            features = self.features(track.track_id)
        except ReviewError:
            return 0
        alike = likeness(features, motif, recurrence, SAMPLE_RATE)
        return max(alike, key=lambda semitones: (alike[semitones], -abs(semitones)))

    def _added_items(self) -> dict[str, QueueItem]:
        by_audio = {track.sha256: track for track in self._tracks.values()}
        return added_items(self._outside(), by_audio)

    def _outside(self) -> Iterable[Decision]:
        """First decisions that stand on pairs that the machine does not propose today."""
        for standing in self.index.standing(queue="review"):
            if standing.pair in self._proposed:
                continue
            place = (standing.key, standing.reviewer)
            if place not in self._added:
                decision = self.index.decision(*place)
                if decision is None:
                    continue
                self._added[place] = decision
            yield self._added[place]

    def outside(self, reviewer: str, track: ManifestTrack) -> list[Decision]:
        """Return the reviewer's decisions on pairs of a track that today's queue does not hold."""
        queued = self.items()
        return [
            decision
            for decision in self._outside()
            if decision.reviewer == reviewer
            and decision.audio_sha256 == track.sha256
            and decision.pair not in queued
        ]

    def _clips(self, item: QueueItem) -> tuple[WindowClip, WindowClip]:
        track = track_of(item)
        motif = self.clips.clip(track, item.motif, item.sample_rate)
        recurrence = self.clips.clip(track, item.recurrence, item.sample_rate)
        return motif, recurrence

    def _refresh(self) -> None:
        """Read the proposals and the manifest again if they changed, as `dvc repro` does it."""
        paths = (self.sources.proposals, self.sources.manifest)
        stamp = [path.stat().st_mtime_ns if path.exists() else None for path in paths]
        if stamp == self._stamp:
            return
        tracks = {row.track_id: row for row in read_table(self.sources.manifest, ManifestTrack)}
        self._proposed = items(read_proposals(self.sources.proposals), tracks)
        self._stretches = stretches(tracks.values())
        self._tracks = tracks
        self._stamp = stamp


def track_of(item: QueueItem) -> ManifestTrack:
    """Return an item's track; raises NotFoundError where the manifest lacks it."""
    if item.track is None:
        raise NotFoundError(
            "the manifest has no such track",
            found=item.track_id,
            fix="run `dvc repro proposals`: the queue is older than the manifest; or skip the item",
        )
    return item.track


def within(item: QueueItem | Decision, stretch: Stretch) -> bool:
    """Say whether a pair sounds in a stretch, at least in part."""
    return any(overlap(span, stretch.span) > 0 for span in (item.motif, item.recurrence))


def _doubled(there: QueueItem) -> DoubledError:
    def seconds(span: Span) -> str:
        end = span.start_sample + span.samples
        return f"{span.start_sample / there.sample_rate:.2f} to {end / there.sample_rate:.2f} s"

    error = DoubledError(
        "a pair with nearly these windows is in the queue",
        found=f"motif {seconds(there.motif)}, recurrence {seconds(there.recurrence)}",
        fix="decide on that one; its edges can be moved",
    )
    error.pair = there.pair
    return error
