"""Annotations as lines of a decision log, checked against the recordings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.files import sha256_json
from leitmotif.files.provenance import code_version
from leitmotif.review.failures import RefusedError
from leitmotif.review.importing.annotations import AnnotatedPair, Annotations, Mistakes, Seconds
from leitmotif.review.known import searched
from leitmotif.review.limits import check_windows
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import (
    LONGEST_NOTE,
    Decision,
    Imported,
    JudgedSpan,
    Listening,
    Verdict,
    Versions,
    pair_id,
    stretch_id,
)

_ROUNDING_SECONDS = 0.01
"""An end may lie this far past the recording's: files of annotations round."""


@dataclass(frozen=True)
class PlacedPair:
    """A pair on its track, in samples at SAMPLE_RATE."""

    place: str
    track: ManifestTrack
    motif: Span
    recurrence: Span
    verdict: Verdict
    transposition: int | None
    note: str

    @property
    def pair(self) -> str:
        """By which the question is known in logs."""
        return pair_id(self.track.sha256, SAMPLE_RATE, self.motif, self.recurrence)


@dataclass(frozen=True)
class Source:
    """Where lines come from, and whose they are."""

    reviewer: str
    imported: Imported


def by_name(tracks: Iterable[ManifestTrack]) -> dict[str, ManifestTrack | None]:
    """Tracks by id, and by the name of their file with and without its suffix; None: of several."""
    tracks = list(tracks)
    names: dict[str, ManifestTrack | None] = {}
    for track in tracks:
        file = Path(track.path)
        for name in {file.name, file.stem}:
            names[name] = None if name in names else track
    return {**names, **{track.track_id: track for track in tracks}}


def placed(
    annotations: Annotations, tracks: Mapping[str, ManifestTrack | None], mistakes: Mistakes
) -> tuple[list[PlacedPair], list[ManifestTrack], int]:
    """Find tracks and windows; what cannot be is added to ``mistakes``.

    Returns the pairs, each once; the tracks that were annotated; and how many pairs begin their
    recurrence where nothing is searched, which are left out.
    """
    for name, place in annotations.tracks.items():
        if name not in tracks:
            mistakes.add(place, f"the manifest has no track {name!r}")
        elif tracks[name] is None:
            mistakes.add(place, f"several tracks have files called {name!r}: give the track_id")
    pairs: dict[str, PlacedPair] = {}
    outside = 0
    for pair in annotations.pairs:
        track = tracks.get(pair.track)
        if track is None:
            continue
        try:
            on_track = _placed(pair, track)
        except ValueError as error:
            mistakes.add(pair.place, error)
            continue
        except RefusedError as error:
            mistakes.add(pair.place, f"{error.what}: {error.found}, expected {error.expected}")
            continue
        if not _is_searched(track, on_track.recurrence):
            outside += 1
            continue
        earlier = pairs.setdefault(on_track.pair, on_track)
        for said in ("verdict", "transposition"):
            now, before = getattr(on_track, said), getattr(earlier, said)
            if now != before:
                mistakes.add(pair.place, f"{said} {now}, where {earlier.place} says {before}")
    annotated = [track for name in annotations.tracks if (track := tracks.get(name))]
    return [*pairs.values()], list({track.track_id: track for track in annotated}.values()), outside


def _placed(pair: AnnotatedPair, track: ManifestTrack) -> PlacedPair:
    motif, recurrence = (
        _span(name, seconds, track)
        for name, seconds in (("motif", pair.motif), ("recurrence", pair.recurrence))
    )
    check_windows(track, motif, recurrence, SAMPLE_RATE)
    if len(pair.note) > LONGEST_NOTE:
        raise ValueError(f"a note of {len(pair.note)} characters, more than {LONGEST_NOTE}")
    return PlacedPair(
        pair.place, track, motif, recurrence, pair.verdict, pair.transposition, pair.note
    )


def _span(name: str, seconds: Seconds, track: ManifestTrack) -> Span:
    start, end = seconds
    if start < 0 or end <= start or end > track.seconds + _ROUNDING_SECONDS:
        raise ValueError(
            f"the {name} from {start:g} to {end:g} s does not lie in {track.track_id}, "
            f"0 to {track.seconds:.2f} s"
        )
    first, last = round(start * SAMPLE_RATE), int(min(end, track.seconds) * SAMPLE_RATE + 0.5)
    # Half a sample may be rounded past the recording's last.
    last = min(last, int(track.seconds * SAMPLE_RATE))
    return Span(start_sample=first, samples=max(1, last - first))


def _is_searched(track: ManifestTrack, recurrence: Span) -> bool:
    begins = recurrence.start_sample
    return any(
        span.start_sample <= begins < span.start_sample + span.samples for span in searched(track)
    )


def decision_of(placed: PlacedPair, source: Source) -> Decision:
    """The line of a pair; a transposition that is not known is 0."""
    motif, recurrence = (
        JudgedSpan(**dict(span), sha256=None) for span in (placed.motif, placed.recurrence)
    )
    return Decision(
        action="decide",
        key=_key(source, "decide", placed.pair, placed.verdict),
        reviewer=source.reviewer,
        time=datetime.now(UTC),
        queue="review",
        pair=placed.pair,
        verdict=placed.verdict,
        note=placed.note,
        track_id=placed.track.track_id,
        audio_sha256=placed.track.sha256,
        sample_rate=SAMPLE_RATE,
        motif=motif,
        recurrence=recurrence,
        proposal_id=None,
        proposed_motif=placed.motif,
        proposed_recurrence=placed.recurrence,
        transposition=placed.transposition or 0,
        score=None,
        p=None,
        texture=None,
        versions=_versions(),
        imported=source.imported,
    )


def listenings_of(
    track: ManifestTrack, source: Source, until: float | None = None
) -> list[Listening]:
    """The lines that say that all of a track was listened to and nothing else returns in it.

    ``until`` is the second up to which that is so; None for the whole track.
    """
    end = int(min(track.seconds, track.seconds if until is None else until) * SAMPLE_RATE)
    lines = []
    for offered in searched(track):
        if offered.start_sample >= end:
            continue
        stretch = stretch_id(track.sha256, SAMPLE_RATE, offered)
        samples = max(1, min(offered.samples, end - offered.start_sample))
        heard = JudgedSpan(start_sample=offered.start_sample, samples=samples, sha256=None)
        line = Listening(
            action="listen",
            key=_key(source, "listen", stretch, "nothing_else"),
            reviewer=source.reviewer,
            time=datetime.now(UTC),
            queue="stretches",
            pair=stretch,
            verdict="nothing_else",
            note="",
            track_id=track.track_id,
            audio_sha256=track.sha256,
            sample_rate=SAMPLE_RATE,
            stretch=heard,
            versions=_versions(),
            imported=source.imported,
        )
        lines.append(line)
    return lines


def _key(source: Source, *what: str) -> str:
    """Of the contents: a file that is imported again has the same keys."""
    parts: Sequence[str] = [source.imported.sha256, source.imported.format, *what]
    return sha256_json(["import", *parts])[:32]


@cache
def _versions() -> Versions:
    """No page was open; its version is 0."""
    return Versions(
        leitmotif=version("leitmotif"),
        review=code_version("leitmotif.review.importing.entries"),
        page="0" * 64,
    )
