"""Imports a file of annotations: all of it is checked, and then written line by line."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from leitmotif.errors import ReviewError, counted
from leitmotif.files import sha256_file
from leitmotif.recurrence.likeness import GivenPair
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.review.importing.annotations import Annotations, Format, Mistakes
from leitmotif.review.importing.bps import Clock, performed, read_bps, steady
from leitmotif.review.importing.csv_pairs import read_csv
from leitmotif.review.importing.entries import (
    PlacedPair,
    Source,
    by_name,
    decision_of,
    listenings_of,
    placed,
)
from leitmotif.review.importing.excerpt import Alignment, excerpt
from leitmotif.review.importing.jams import read_jams
from leitmotif.review.index import Index
from leitmotif.review.queue import items
from leitmotif.review.strengths import likenesses_in
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import Decision, Imported, Listening
from leitmotif.tables.proposals import Proposal

Transpositions = Callable[[Sequence[PlacedPair]], Sequence[int]]
"""Finds the transpositions of pairs of which the file does not say them."""


@dataclass(frozen=True)
class AnnotatedFile:
    """A file that was read."""

    path: Path
    format: Format
    annotations: Annotations
    aligned: str | None = None
    """How they were aligned with the track, as it was typed."""


@dataclass(frozen=True)
class Import:
    """What an import adds to a log."""

    decisions: list[Decision]
    listenings: list[Listening]
    known: int
    """Pairs and stretches of which the log says the same already."""
    remarks: list[str]
    """What was left out, and what stays pending."""

    def said(self, log: Path, *, written: bool) -> str:
        """How much was added to a log, or would be."""
        pairs = counted(len(self.decisions), "pair")
        listenings = counted(len(self.listenings), "listening")
        added = "added" if written else "would be added"
        return f"{pairs} and {listenings} {added} to {log}; {self.known} known already"


def read_annotations(
    path: Path,
    kind: str,
    tracks: Sequence[ManifestTrack],
    *,
    track: str | None = None,
    clock: Clock | None = None,
    alignment: Alignment | None = None,
) -> AnnotatedFile:
    """Read a file; raises ReviewError that names the file and the place in it.

    Parameters
    ----------
    path : of the file.
    kind : its format: csv, bps or jams.
    tracks : of the manifest.
    track : the track of the whole file; bps and jams do not name one.
    clock : when crotchets sound; for bps.
    alignment : of a track that is an excerpt of what was annotated.
    """
    if kind not in get_args(Format):
        raise ReviewError(
            "this is no format of annotations",
            found=kind,
            expected=f"one of {', '.join(get_args(Format))}",
        )
    annotations = _read(path, kind, tracks, track, clock, alignment)
    format_: Format = cast("Format", kind)
    if alignment is None:
        return AnnotatedFile(path, format_, annotations)
    of_file = next(iter(annotations.tracks), "")
    if known := by_name(tracks).get(of_file):  # another name is refused with its place
        annotations = excerpt(annotations, alignment, known.seconds)
    return AnnotatedFile(path, format_, annotations, alignment.text)


def _read(
    path: Path,
    kind: str,
    tracks: Sequence[ManifestTrack],
    track: str | None,
    clock: Clock | None,
    alignment: Alignment | None,
) -> Annotations:
    """In seconds of what was annotated."""
    if kind == "csv":
        return read_csv(path, track=track)
    if track is None:
        raise ReviewError(
            f"{path} does not say of which track it is", expected="--track TRACK_ID with it"
        )
    if kind == "jams":
        known = by_name(tracks).get(track)
        seconds = known.seconds if known else None
        return read_jams(path, track=track, seconds=seconds, alignment=alignment)
    if clock is None:
        raise ReviewError(
            f"{path} counts in crotchets, and a recording does not",
            expected="--crotchet-seconds X for a steady tempo, or --tempo-map FILE.csv",
        )
    return read_bps(path, track=track, clock=clock)


def clock_of(
    crotchet_seconds: float | None, zero_seconds: float, tempo_map: Path | None
) -> Clock | None:
    """When crotchets sound, as far as that is said; raises ReviewError for both ways at once."""
    if crotchet_seconds is not None and tempo_map is not None:
        raise ReviewError(
            "the tempo is said twice", expected="--crotchet-seconds or --tempo-map, not both"
        )
    if tempo_map is not None:
        return performed(tempo_map)
    return None if crotchet_seconds is None else steady(crotchet_seconds, zero_seconds)


def prepare(
    file: AnnotatedFile,
    tracks: Sequence[ManifestTrack],
    index: Index,
    *,
    reviewer: str,
    exhaustive: bool,
    transpositions: Transpositions,
    proposals: Iterable[Proposal] = (),
) -> Import:
    """Check a file against the recordings and the log, and make its lines.

    Parameters
    ----------
    file : as read.
    tracks : of the manifest.
    index : of the logs; nothing is written to it.
    reviewer : whose log the lines are for.
    exhaustive : whether the annotator listened to all of the tracks that the file names.
    transpositions : asked for what the file does not say.
    proposals : of the queue; a remark says how many of them stay pending.

    Raises
    ------
    ReviewError
        That names all mistakes and their places.
    """
    mistakes = Mistakes(file.path, "pairs in recordings of the manifest", "correct these places")
    names = by_name(tracks)
    pairs, annotated, outside = placed(file.annotations, names, mistakes)
    source = Source(
        reviewer,
        Imported(
            file=file.path.name,
            sha256=sha256_file(file.path),
            format=file.format,
            aligned=file.aligned,
        ),
    )
    new = _new_pairs(pairs, index, source, mistakes)
    lines: list[Listening] = []
    if exhaustive:
        until = file.annotations.until
        lines = [line for track in annotated for line in listenings_of(track, source, until)]
    else:
        _refuse_empty(file, mistakes)
    listenings = _new_listenings(lines, index, mistakes)
    mistakes.refuse()
    known = len(pairs) - len(new) + len(lines) - len(listenings)
    remarks = list(file.annotations.remarks)
    if outside:
        remarks.append(f"pairs that return where nothing is searched, left out: {outside}")
    decisions = _decisions(new, source, transpositions)
    if pending := _still_pending(decisions, listenings, proposals, tracks, index):
        remarks.append(pending)
    return Import(decisions, listenings, known, remarks)


def write(index: Index, prepared: Import) -> None:
    """Record all lines; if that is broken off, importing the file again completes it."""
    for decision in prepared.decisions:
        index.record(decision)
    for listening in prepared.listenings:
        index.record(listening)


def transpositions_in(
    search: SearchSettings, tracks: Sequence[ManifestTrack], audio_root: Path
) -> Transpositions:
    """Let the engine find the transpositions, in the recordings below ``audio_root``."""

    def find(rows: Sequence[PlacedPair]) -> list[int]:
        asked: dict[str, list[GivenPair]] = {}
        for row in rows:
            pair = GivenPair(row.motif, row.recurrence, None)
            asked.setdefault(row.track.track_id, []).append(pair)
        alike = {name: iter(of) for name, of in likenesses_in(asked, tracks, search, audio_root)}
        return [next(alike[row.track.track_id]).transposition for row in rows]

    return find


def untransposed(rows: Sequence[PlacedPair]) -> list[int]:
    """Find nothing, where nothing will be written."""
    return [0] * len(rows)


def _new_pairs(
    pairs: Sequence[PlacedPair], index: Index, source: Source, mistakes: Mistakes
) -> list[PlacedPair]:
    """Those that the reviewer has not decided; another verdict on one is a mistake."""
    reviewer = source.reviewer
    said = {row.pair: row.verdict for row in index.standing(reviewer=reviewer, queue="review")}
    new = []
    for row in pairs:
        if said.get(row.pair, row.verdict) != row.verdict:
            mistakes.add(row.place, f"{row.verdict}, where {reviewer} has said {said[row.pair]}")
        # A line that was imported and taken back stays so.
        elif row.pair not in said and not index.decision(decision_of(row, source).key, reviewer):
            new.append(row)
    return new


def _new_listenings(
    lines: Sequence[Listening], index: Index, mistakes: Mistakes
) -> list[Listening]:
    new = []
    heard = {(row.reviewer, row.pair): row.verdict for row in index.listened()}
    for line in lines:
        before = heard.get((line.reviewer, line.pair))
        if before == "cannot_tell":
            mistakes.add(line.track_id, f"{line.reviewer} could not tell what returns there")
        elif before is None and not index.listening(line.key, line.reviewer):
            new.append(line)
    return new


def _still_pending(
    decisions: Sequence[Decision],
    listenings: Sequence[Listening],
    proposals: Iterable[Proposal],
    tracks: Sequence[ManifestTrack],
    index: Index,
) -> str | None:
    """What to say of proposals in tracks that an annotator listened to, and did not name.

    They are not rejected by that: the annotator was not asked of them, and a return that was
    overlooked would become a verified absence. Until they are decided, nothing is known where their
    recurrences begin. None where there is no such proposal.
    """
    heard = {listening.audio_sha256 for listening in listenings}
    named = {decision.pair for decision in decisions}
    decided = named | {row.pair for row in index.standing(queue="review")}
    queued = items(proposals, {track.track_id: track for track in tracks})
    waiting = [
        item.track.track_id
        for item in queued.values()
        if item.track is not None and item.track.sha256 in heard and item.pair not in decided
    ]
    if not waiting:
        return None
    return (
        f"{counted(len(waiting), 'proposal')} in {counted(len(set(waiting)), 'track')} of these "
        "annotations stay pending: the annotator was not asked of them, and may have overlooked "
        "what returns there. Nothing is known where their recurrences begin until somebody decides "
        "them"
    )


def _refuse_empty(file: AnnotatedFile, mistakes: Mistakes) -> None:
    """A track without a pair says that nothing returns, which only a full listening can know."""
    with_pairs = {pair.track for pair in file.annotations.pairs}
    for name, place in file.annotations.tracks.items():
        if name not in with_pairs:
            mistakes.add(place, f"{name} has no pair, which means nothing without --exhaustive")


def _decisions(
    rows: Sequence[PlacedPair], source: Source, transpositions: Transpositions
) -> list[Decision]:
    # Only of a return it is worth the time.
    unsaid = [row for row in rows if row.transposition is None and row.verdict == "positive"]
    given = dict(
        zip(
            (row.pair for row in unsaid),
            transpositions(unsaid) if unsaid else (),
            strict=True,
        )
    )
    return [
        decision_of(replace(row, transposition=given.get(row.pair, row.transposition or 0)), source)
        for row in rows
    ]
