"""From the recordings given to the pieces continued: what is left, and what was not searched."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leitmotif.causal.experiment.outlook import OpeningCounts
from leitmotif.config import Params
from leitmotif.errors import LeitmotifError, counted
from leitmotif.feasibility.funnel import Step, funnel, probed_tracks
from leitmotif.feasibility.known import Known
from leitmotif.files import read_table, sha256_file
from leitmotif.files.restoring import how_to_restore
from leitmotif.pipeline import (
    CORPUS,
    CORPUS_FAILURES,
    COVERAGE,
    EFFECTS,
    EXCLUDED,
    FAILURES,
    HORIZONS,
    LABELS,
    MANIFEST,
    OPENINGS,
    PROPOSALS,
)
from leitmotif.report.numbers import Number, Said, counted_from, placed
from leitmotif.report.track_sentences import of_openings, of_recall, of_unsearched
from leitmotif.report.words import number
from leitmotif.review.recall import recall
from leitmotif.tables.corpus import TRACKS, CorpusTrack, Exclusion, Failure, ManifestTrack
from leitmotif.tables.effects import EffectRow
from leitmotif.tables.interval import IntervalRow
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tables.openings import OpenedRecording
from leitmotif.tables.probes import HorizonRow
from leitmotif.tables.proposals import read_proposals
from leitmotif.timing.windows import searched_seconds

_TOLD = {
    "corpus": CORPUS / TRACKS,
    "manifest": MANIFEST,
    "features": FAILURES,
    "proposals": PROPOSALS,
    "labels": COVERAGE,
    "probes": HORIZONS,
    "interventions": EFFECTS,
}
"""The table from which each stage's steps are counted."""
TABLES = (*_TOLD.values(), CORPUS_FAILURES, EXCLUDED, LABELS, OPENINGS)


@dataclass(frozen=True)
class TrackSources:
    """What the section on the tracks is made from."""

    known: Known
    recall: IntervalRow | None
    """Share of the returns that the proposals had, as reviewers who listened say."""
    tried: Mapping[str, OpeningCounts]
    """What the openings of recordings say, by model; empty for composed music."""
    hashes: Mapping[str, str]


def read_tracks(params: Params, root: Path = Path()) -> TrackSources:
    """Read the outputs below ``root``.

    Raises LeitmotifError if one is missing or damaged, or if they are not of the same tracks.
    """
    tracks = read_table(root / CORPUS / TRACKS, CorpusTrack)
    known = Known(
        params=params,
        given=len(tracks) + len(read_table(root / CORPUS_FAILURES, Failure)),
        verified=len(tracks),
        manifest=read_table(root / MANIFEST, ManifestTrack),
        excluded=read_table(root / EXCLUDED, Exclusion),
        failures=read_table(root / FAILURES, Failure),
        proposals=read_proposals(root / PROPOSALS),
        labels=read_table(root / LABELS, Label),
        coverage=read_table(root / COVERAGE, Coverage),
        horizons=read_table(root / HORIZONS, HorizonRow),
        effects=read_table(root / EFFECTS, EffectRow),
    )
    opened = read_table(root / OPENINGS, OpenedRecording)
    _check_tracks(tracks, known, opened)
    return TrackSources(
        known,
        recall(known.labels or [], known.coverage or [], known.proposals or []),
        OpeningCounts.by_model(opened),
        {path.as_posix(): sha256_file(root / path) for path in TABLES},
    )


def _check_tracks(
    verified: Sequence[CorpusTrack], known: Known, opened: Sequence[OpenedRecording]
) -> None:
    """Raise LeitmotifError, which names the table, where two tables are not of the same tracks."""
    corpus, chosen, left_out, failed, covered = (
        {row.track_id for row in rows or []}
        for rows in (verified, known.manifest, known.excluded, known.failures, known.coverage)
    )
    found_in, told = CORPUS / TRACKS, ((PROPOSALS, known.proposals), (LABELS, known.labels))
    for path, other, strange, which in (
        (EXCLUDED, MANIFEST, chosen & left_out, "both have"),
        (MANIFEST, found_in, chosen - corpus, "the second lacks"),
        (EXCLUDED, found_in, left_out - corpus, "the second lacks"),
        (MANIFEST, COVERAGE, chosen - failed - covered, "the second lacks"),
        *(
            (path, MANIFEST, {row.track_id for row in rows or []} - chosen, "the second lacks")
            for path, rows in ((COVERAGE, known.coverage), *told, (OPENINGS, opened))
        ),
    ):
        if strange:
            raise LeitmotifError(
                f"{path} and {other} are not of one run",
                found=f"{counted(len(strange), 'track')} that {which}, such as {min(strange)}",
                fix=how_to_restore(),
            )


def tracks_section(sources: TrackSources) -> dict[str, Any]:
    """Context of the section on the tracks."""
    known = sources.known
    steps = funnel(known)
    most = max((step.tracks or 0 for step in steps), default=0)
    names = probed_tracks(known)
    said = of_recall(sources.recall)
    claimed = next((row for row in known.horizons or [] if row.claimed), None)
    return {
        "steps": [_step(step, most, known.excluded or []) for step in steps],
        "probed": None
        if claimed is None
        else placed(str(claimed.tracks), claimed, "tracks", file=HORIZONS.as_posix()),
        "of": counted_from(MANIFEST.as_posix(), str(len(known.manifest or []))),
        "probed_of": len(known.manifest or []),
        "names": names if claimed is not None and len(names) == claimed.tracks else [],
        "by_people": known.params is not None and known.params.labels.source == "decisions",
        "recall": None if said is None else counted_from(LABELS.as_posix(), said),
        "openings": [(model, _opened(model, tried)) for model, tried in sources.tried.items()],
        "unsearched": of_unsearched(*_unsearched(known.manifest or [])),
        "parts": _parts(known.manifest or []),
    }


def _opened(model: str, tried: OpeningCounts) -> Said:
    """What a model did with the beginnings of recordings, each number with its place."""
    file = OPENINGS.as_posix()
    places = {
        "recordings": Number("", file, {"model": model}, ""),
        "openings": Number("", file, {"model": model}, "openings"),
        "returning": Number("", file, {"model": model}, "returning"),
        "differing": counted_from(file, ""),
    }
    return [
        text if not name else replace(places[name], text=text) for text, name in of_openings(tried)
    ]


def _step(step: Step, most: int, excluded: Sequence[Exclusion]) -> dict[str, Any]:
    file = _TOLD.get(step.told_by, MANIFEST).as_posix()
    return {
        "name": step.name,
        "tracks": None if step.tracks is None else counted_from(file, str(step.tracks)),
        "share": round(100 * (step.tracks or 0) / most, 1) if most else 0,
        "note": _noted(step.note, Counter(row.reason for row in excluded)),
    }


def _noted(note: str, reasons: Mapping[str, int]) -> Said:
    """A step's note; where it counts the tracks left out for a reason, with the place of these."""
    said: list[str | Number] = []
    for part in note.split(", "):
        count, _, reason = part.partition(" ")
        between = ", " if said else ""
        if str(reasons.get(reason)) == count:
            said += [
                between,
                Number(count, EXCLUDED.as_posix(), {"reason": reason}, ""),
                f" {reason}",
            ]
        else:
            said.append(between + part)
    return said


def _unsearched(tracks: Sequence[ManifestTrack]) -> tuple[float, float, int]:
    """Seconds of all recordings, of their windows, and recordings that have more than these."""
    seconds = sum(track.seconds for track in tracks)
    searched = sum(_searched(track) for track in tracks)
    return seconds, searched, len(_longer(tracks))


def _parts(tracks: Sequence[ManifestTrack]) -> list[dict[str, str | Number]]:
    """Each recording of which a part was not searched."""
    return [
        {
            "name": track.track_id,
            "seconds": placed(number(track.seconds, 1), track, "seconds", file=MANIFEST.as_posix()),
            "searched": number(_searched(track), 1),
            "share": number(100 * (1 - _searched(track) / track.seconds), 0),
        }
        for track in _longer(tracks)
    ]


def _longer(tracks: Sequence[ManifestTrack]) -> list[ManifestTrack]:
    return [track for track in tracks if track.seconds - _searched(track) >= 0.5]


def _searched(track: ManifestTrack) -> float:
    return min(track.seconds, searched_seconds(track.windows))
