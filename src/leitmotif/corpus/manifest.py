"""The manifest: the tracks of an experiment, and the reasons for leaving out the others."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from leitmotif.config import ManifestParams
from leitmotif.tables.corpus import CorpusTrack, Exclusion, ManifestTrack, Window
from leitmotif.timing.frames import whole_frames
from leitmotif.timing.windows import WINDOW_RATE

REASONS = (
    "excluded_tag",
    "no_required_tag",
    "unknown_duration",
    "too_short",
    "no_licence",
    "duplicate",
)
"""In the order in which they are checked; the first one that applies is a track's reason."""

SHORTEST_REMAINDER = WINDOW_RATE
"""Frames: audio left after the last whole window becomes a window of its own from 1 s on."""


@dataclass(frozen=True)
class Manifest:
    """The outcome of the rules."""

    tracks: list[ManifestTrack]
    """The first eligible tracks, in the corpus's order."""
    excluded: list[Exclusion]
    eligible: int
    """Number of eligible tracks, including those beyond the requested number."""

    def counts(self) -> dict[str, int]:
        """Number of excluded tracks for every reason, including reasons that do not occur."""
        counts = Counter(row.reason for row in self.excluded)
        return {reason: counts[reason] for reason in REASONS}


def select(corpus: Iterable[CorpusTrack], rules: ManifestParams) -> Manifest:
    """Apply ``rules`` to each track of ``corpus``, keeping its order.

    Of tracks whose decoded samples are equal, the first eligible one is used: copies could
    otherwise end up on both sides of a split.
    """
    eligible: list[ManifestTrack] = []
    excluded: list[Exclusion] = []
    used: dict[str, str] = {}
    for track in corpus:
        verdict = judge_track(track, rules)
        if isinstance(verdict, Exclusion):
            excluded.append(verdict)
            continue
        first = used.setdefault(track.duplicate_of or track.track_id, track.track_id)
        if first != track.track_id:
            detail = f"its decoded samples are those of {first}"
            excluded.append(Exclusion(track_id=track.track_id, reason="duplicate", detail=detail))
        else:
            eligible.append(verdict)
    return Manifest(eligible[: rules.tracks], excluded, len(eligible))


def judge_track(track: CorpusTrack, rules: ManifestParams) -> ManifestTrack | Exclusion:
    """Return the track's row in the manifest, or the first reason against it."""

    def exclude(reason: str, detail: str) -> Exclusion:
        return Exclusion(track_id=track.track_id, reason=reason, detail=detail)

    for tag in track.tags:
        for word in rules.excluded_tag_words:
            if word.casefold() in tag.casefold():
                return exclude("excluded_tag", f"{tag} contains {word}")
    for prefix in rules.required_tag_prefixes:
        if not any(tag.startswith(prefix) for tag in track.tags):
            return exclude("no_required_tag", f"no tag starts with {prefix}")
    if track.seconds is None:
        return exclude("unknown_duration", "it cannot be decoded as a whole")
    frames = whole_frames(track.seconds, WINDOW_RATE)
    if track.seconds < rules.min_seconds or frames < 1:
        return exclude("too_short", f"{track.seconds:.2f} s of {rules.min_seconds} s")
    if rules.require_licence and track.licence is None:
        return exclude("no_licence", "the source states no licence")
    return ManifestTrack(
        track_id=track.track_id,
        path=track.path,
        sha256=track.sha256,
        seconds=track.seconds,
        tags=track.tags,
        licence=track.licence,
        windows=windows(frames, rules),
    )


def windows(frames: int, rules: ManifestParams) -> list[Window]:
    """What a model reads of a track of ``frames`` (1/50 s): its start, or all of it in a row."""
    length = whole_frames(rules.window_seconds, WINDOW_RATE)
    if rules.windows == "first" or frames <= length:
        return [Window(start_frame=0, frames=min(length, frames))]
    starts = range(0, frames, length)
    pieces = [Window(start_frame=start, frames=min(length, frames - start)) for start in starts]
    if pieces[-1].frames < min(length, SHORTEST_REMAINDER):
        pieces.pop()
    return pieces
