"""From the recordings given to the pieces continued: what is left, and what was not searched."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leitmotif.causal.experiment.outlook import OpeningCounts
from leitmotif.config import Params
from leitmotif.feasibility.funnel import Step, funnel, probed_tracks
from leitmotif.feasibility.known import Known
from leitmotif.files import read_json, read_table, sha256_file
from leitmotif.report.numbers import Number, Said, counted_from, placed
from leitmotif.report.track_sentences import of_openings, of_recall, of_unsearched
from leitmotif.report.words import number
from leitmotif.tables.corpus import Exclusion, Failure, ManifestTrack
from leitmotif.tables.effects import EffectRow
from leitmotif.tables.interval import IntervalRow
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tables.probes import HorizonRow
from leitmotif.tables.proposals import read_proposals
from leitmotif.timing.windows import searched_seconds

MANIFEST, EXCLUDED = "data/manifest.jsonl", "data/excluded.jsonl"
OPENINGS = "metrics/interventions.json"
_TOLD = {
    "corpus": ("metrics/corpus.json", ""),
    "manifest": (MANIFEST, ""),
    "features": ("data/failures.jsonl", ""),
    "proposals": ("data/proposals.jsonl", ""),
    "labels": ("data/coverage.jsonl", ""),
    "probes": ("data/horizons.jsonl", ""),
    "interventions": ("data/effects.jsonl", ""),
}
"""File and key of what each stage tells; without a key it is counted from the whole file."""


@dataclass(frozen=True)
class TrackFiles:
    """Paths of what says which tracks are left."""

    corpus: Path
    """metrics/corpus.json"""
    proposed: Path
    """metrics/labels.json, which has the recall of the proposals."""
    opened: Path
    """metrics/interventions.json, which has what the openings of recordings say."""
    manifest: Path
    excluded: Path
    failures: Path
    proposals: Path
    labels: Path
    coverage: Path
    horizons: Path
    effects: Path


@dataclass(frozen=True)
class TrackSources:
    """What the section on the tracks is made from."""

    known: Known
    recall: IntervalRow | None
    """Share of the returns that the proposals had, as reviewers who listened say."""
    tried: Mapping[str, OpeningCounts]
    """What the openings of recordings say, by model; empty for composed music."""
    hashes: Mapping[str, str]


def read_tracks(files: TrackFiles, params: Params) -> TrackSources:
    """Read the outputs. Raises LeitmotifError if one is missing or damaged."""
    counts = read_json(files.corpus)
    recall = read_json(files.proposed).get("recall")
    known = Known(
        params=params,
        given=counts["tracks"] + counts["failures"],
        verified=counts["tracks"],
        manifest=read_table(files.manifest, ManifestTrack),
        excluded=read_table(files.excluded, Exclusion),
        failures=read_table(files.failures, Failure),
        proposals=read_proposals(files.proposals),
        labels=read_table(files.labels, Label),
        coverage=read_table(files.coverage, Coverage),
        horizons=read_table(files.horizons, HorizonRow),
        effects=read_table(files.effects, EffectRow),
    )
    return TrackSources(
        known,
        None if recall is None else IntervalRow.model_validate(recall),
        OpeningCounts.read(read_json(files.opened)),
        {f"{path.parent.name}/{path.name}": sha256_file(path) for path in vars(files).values()},
    )


def tracks_section(sources: TrackSources) -> dict[str, Any]:
    """Context of the section on the tracks."""
    known = sources.known
    steps = funnel(known)
    most = max((step.tracks or 0 for step in steps), default=0)
    names = probed_tracks(known)
    claimed = next((row for row in known.horizons or [] if row.claimed), None)
    recall = of_recall(sources.recall)
    return {
        "steps": [_step(step, most, known.excluded or []) for step in steps],
        "probed": None
        if claimed is None
        else placed(str(claimed.tracks), claimed, "tracks", file="data/horizons.jsonl"),
        "of": counted_from(MANIFEST, str(len(known.manifest or []))),
        "probed_of": len(known.manifest or []),
        "names": names if claimed is not None and len(names) == claimed.tracks else [],
        "by_people": known.params is not None and known.params.labels.source == "decisions",
        "recall": None if recall is None else Number(recall, "metrics/labels.json", {}, "recall"),
        "openings": [(model, _opened(model, tried)) for model, tried in sources.tried.items()],
        "unsearched": of_unsearched(*_unsearched(known.manifest or [])),
        "parts": _parts(known.manifest or []),
    }


def _opened(model: str, tried: OpeningCounts) -> Said:
    """What a model did with the beginnings of recordings, each number with its place."""
    return [
        text if not field else Number(text, OPENINGS, {}, f"openings.{model}.{field}")
        for text, field in of_openings(tried)
    ]


def _step(step: Step, most: int, excluded: Sequence[Exclusion]) -> dict[str, Any]:
    file, key = _TOLD.get(step.told_by, _TOLD["manifest"])
    return {
        "name": step.name,
        "tracks": None if step.tracks is None else Number(str(step.tracks), file, {}, key),
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
            said += [between, Number(count, EXCLUDED, {"reason": reason}, ""), f" {reason}"]
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
            "seconds": placed(number(track.seconds, 1), track, "seconds", file=MANIFEST),
            "searched": number(_searched(track), 1),
            "share": number(100 * (1 - _searched(track) / track.seconds), 0),
        }
        for track in _longer(tracks)
    ]


def _longer(tracks: Sequence[ManifestTrack]) -> list[ManifestTrack]:
    return [track for track in tracks if track.seconds - _searched(track) >= 0.5]


def _searched(track: ManifestTrack) -> float:
    return min(track.seconds, searched_seconds(track.windows))
