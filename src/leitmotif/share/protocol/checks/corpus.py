"""SHA-256 data integrity, and manifest generation."""

from collections import Counter
from pathlib import Path

from safetensors import safe_open

from leitmotif.corpus.manifest import REASONS, select
from leitmotif.errors import counted
from leitmotif.files import sha256_file
from leitmotif.pipeline import (
    CORPUS,
    CORPUS_FAILURES,
    EXCLUDED,
    FAILURES,
    FEATURES,
    MANIFEST,
)
from leitmotif.share.protocol.inputs import Inputs, named
from leitmotif.share.protocol.lines import Outcome, failed, passed
from leitmotif.share.protocol.registry import check
from leitmotif.tables.corpus import TRACKS, CorpusTrack, Exclusion, Failure, ManifestTrack


@check(
    "corpus",
    "Every recording has its SHA-256",
    item="checklist: SHA-256 data integrity",
    stage="corpus",
)
def corpus_checksums(inputs: Inputs) -> Outcome:
    """Compare the files of data/corpus with its table: missing, resized, changed, not listed."""
    tracks = inputs.rows(CORPUS / TRACKS, CorpusTrack)
    left_out = inputs.table(CORPUS_FAILURES, Failure)
    hashed = {track.path for track in inputs.spread(tracks)}
    wrong = [
        f"{track.path} {problem}"
        for track in tracks
        if (problem := _problem(CORPUS / track.path, track, hashed=track.path in hashed))
    ]
    known = {track.path for track in tracks} | {row.path for row in left_out}
    there = {path.relative_to(CORPUS).as_posix() for path in CORPUS.rglob("*") if path.is_file()}
    tables = {name for name in there if "/" not in name and name.endswith(".jsonl")}
    wrong += [f"{name} is in no table" for name in sorted(there - known - tables)]
    if wrong:
        return failed(f"data/corpus: {named(wrong)}", "dvc repro corpus")
    size = sum(track.bytes for track in tracks) / 1e6
    unusable = f"; {len(left_out)} left out, with a reason each" if left_out else ""
    return passed(
        f"{counted(len(tracks), 'recording')}, {size:.1f} MB{inputs.hashed(tracks)}{unusable}"
    )


def _problem(path: Path, track: CorpusTrack, *, hashed: bool) -> str | None:
    if not path.is_file():
        return "is missing"
    if path.stat().st_size != track.bytes:
        return f"has {path.stat().st_size} bytes, not {track.bytes}"
    if hashed and sha256_file(path) != track.sha256:
        return "has another SHA-256"
    return None


@check(
    "manifest",
    "The manifest follows from the recordings and the rules",
    item="checklist: manifest generation",
    stage="manifest",
)
def manifest(inputs: Inputs) -> Outcome:
    """Choose the tracks again, and compare: number, order, hashes, reasons, no duplicates."""
    rules = inputs.params.manifest
    rows = inputs.rows(MANIFEST, ManifestTrack)
    excluded = inputs.table(EXCLUDED, Exclusion)
    repeated = [
        name
        for key in ("track_id", "sha256")
        for name, count in Counter(getattr(row, key) for row in rows).items()
        if count > 1
    ]
    if repeated:
        return failed(f"{MANIFEST}: twice: {named(repeated)}", "dvc repro manifest")
    if unknown := sorted({row.reason for row in excluded} - {*REASONS}):
        return failed(f"{EXCLUDED}: reasons that no rule gives: {named(unknown)}", _REPRO)
    chosen = select(inputs.rows(CORPUS / TRACKS, CorpusTrack), rules)
    if chosen.tracks != rows:
        return failed(f"{MANIFEST}: {_difference(chosen.tracks, rows)}", _REPRO)
    if chosen.excluded != excluded:
        return failed(f"{EXCLUDED}: {_difference(chosen.excluded, excluded)}", _REPRO)
    if len(rows) < rules.tracks:
        return failed(
            f"{len(rows)} of {rules.tracks} tracks: no more are eligible",
            f"set manifest.tracks to {len(rows)} in params.yaml, or loosen its rules; "
            "then dvc repro",
        )
    reasons = ", ".join(f"{count} {name}" for name, count in chosen.counts().items() if count)
    return passed(f"{counted(len(rows), 'track')}; {len(excluded)} excluded ({reasons or 'none'})")


_REPRO = "dvc repro manifest"


def _difference(
    expected: list[ManifestTrack] | list[Exclusion], written: list[ManifestTrack] | list[Exclusion]
) -> str:
    """Which tracks' rows are not those that the rules give."""
    ours = {row.track_id: row for row in expected}
    theirs = {row.track_id: row for row in written}
    names = sorted(
        name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)
    )
    return f"the rules decide otherwise about {named(names)}" if names else "in another order"


@check(
    "features",
    "Every track has features, or a reason why not",
    item="core solution: chroma features from raw audio",
    stage="features",
)
def features(inputs: Inputs) -> Outcome:
    """Look for the features of each track of the manifest, and read their headers."""
    tracks = inputs.rows(MANIFEST, ManifestTrack)
    reasons = {row.track_id: row.reason for row in inputs.table(FAILURES, Failure)}
    wrong = []
    for track in tracks:
        path = FEATURES / f"{track.track_id}.safetensors"
        if track.track_id in reasons:
            continue
        if not path.is_file():
            wrong.append(f"{path.name} is missing")
            continue
        try:
            with safe_open(path, framework="np") as file:
                if not list(file.keys()):
                    wrong.append(f"{path.name} is empty")
        except Exception as error:  # noqa: BLE001  # safetensors raises kinds of its own
            wrong.append(f"{path.name} cannot be read ({error})")
    if wrong:
        return failed(f"{FEATURES}: {named(wrong)}", "dvc repro features")
    allowed = inputs.params.features.max_failures
    if len(reasons) > allowed:
        return failed(
            f"{FAILURES}: {counted(len(reasons), 'track')} failed, "
            f"features.max_failures is {allowed}",
            "mend or remove these files, then dvc repro features",
        )
    return passed(f"{counted(len(tracks) - len(reasons), 'track')}; {len(reasons)} failed")
