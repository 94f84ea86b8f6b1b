"""Stage ``features``: chroma, energy, onset strength and source artifacts of each track."""

import sys
from collections.abc import Sequence
from dataclasses import asdict

from leitmotif.audio.analysis import RecordingFile, analyse_tracks, write_features
from leitmotif.audio.likeness import near_duplicates
from leitmotif.config import Params
from leitmotif.errors import AudioError
from leitmotif.files import atomic_folder, read_table, write_json, write_table
from leitmotif.files.provenance import code_version
from leitmotif.pipeline import CORPUS, CORPUS_FAILURES, FAILURES, FEATURES, MANIFEST, METRICS
from leitmotif.stages.failures import failed, limit_failures
from leitmotif.tables.corpus import Failure, ManifestTrack, NearDuplicate
from leitmotif.work.progress import progress


def features(params: Params) -> None:
    """Write data/features, data/failures.jsonl and metrics/features.json."""
    tracks = read_table(MANIFEST, ManifestTrack)
    failures = read_table(CORPUS_FAILURES, Failure)
    candidates, artifacts = len(tracks) + len(failures), []
    chromas = {}
    code = code_version("leitmotif.audio.analysis", "leitmotif.tensors")
    with atomic_folder(FEATURES) as folder:
        sources = [
            RecordingFile(CORPUS / track.path, track.track_id, track.sha256) for track in tracks
        ]
        measured = analyse_tracks(sources, params.features)
        shown = progress(measured, "features", total=len(tracks))
        for track, source, analysis in zip(tracks, sources, shown, strict=True):
            if isinstance(analysis, AudioError):
                failures.append(failed(track, analysis))
                continue
            write_features(folder, source, analysis.features, code)
            artifacts.append(analysis.artifacts)
            chromas[track.track_id] = analysis.features.chroma
        write_table(folder / "artifacts.jsonl", artifacts)
        alike = [NearDuplicate(**asdict(pair)) for pair in near_duplicates(chromas)]
        write_table(folder / "near_duplicates.jsonl", alike)
        for pair in alike:
            print(
                f"features: {pair.track_id} may be {pair.other} in another encoding "
                f"(correlation {pair.similarity})",
                file=sys.stderr,
            )
        write_table(FAILURES, failures)
        limit_failures("features", failures, params.features.max_failures, of=candidates)
    write_json(METRICS / "features.json", metrics_of(failures))


def metrics_of(failures: Sequence[Failure]) -> dict[str, object]:
    """How many recordings cannot be used."""
    return {"failures": len(failures)}
