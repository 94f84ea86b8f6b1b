"""Stage ``report``: the listening report, one folder of static pages with sound."""

from leitmotif.config import Params
from leitmotif.files import atomic_folder, write_json
from leitmotif.pipeline import (
    ALIGNMENT,
    APPROACHES,
    CALIBRATION,
    CANDIDATES,
    CORPUS,
    COVERAGE,
    DECODERLENS,
    EFFECTS,
    EXCLUDED,
    FAILURES,
    FEATURES,
    HORIZONS,
    INTERCHANGE,
    INTERVENTIONS,
    LABELS,
    LAYER_SIMILARITY,
    LENS,
    LENS_DIVERGENCE,
    MANIFEST,
    METRICS,
    PROBES,
    PROPOSALS,
    REPORT,
    SAE,
    SWAP_CLIPS,
    SWAP_SUMMARY,
    SWAPS,
    VERDICTS,
    run,
)
from leitmotif.report.build import ReportCounts, build_report
from leitmotif.report.features.sources import FeaturePaths, feature_sources
from leitmotif.report.lens.sources import LensPaths, read_lens
from leitmotif.report.material import ReportFiles, read_material
from leitmotif.report.swaps.sources import SwapPaths, read_swaps
from leitmotif.report.tracks import TrackFiles, read_tracks
from leitmotif.stages.tracks import tracks_with_activations

FILES = ReportFiles(
    log=INTERVENTIONS,
    manifest=MANIFEST,
    alignment=ALIGNMENT,
    probes=PROBES,
    calibration=CALIBRATION,
    interchange=INTERCHANGE,
    effects=EFFECTS,
    verdicts=VERDICTS,
    approaches=APPROACHES,
)
PLACES = FeaturePaths(
    corpus=CORPUS,
    features=FEATURES,
    encoded=SAE,
    candidates=CANDIDATES,
    verdicts=VERDICTS,
    labels=LABELS,
    coverage=COVERAGE,
    alignment=ALIGNMENT,
)
LENS_PATHS = LensPaths(
    recognition=DECODERLENS, divergence=LENS_DIVERGENCE, similarity=LAYER_SIMILARITY, clips=LENS
)

TRACK_FILES = TrackFiles(
    corpus=METRICS / "corpus.json",
    proposed=METRICS / "labels.json",
    manifest=MANIFEST,
    excluded=EXCLUDED,
    failures=FAILURES,
    proposals=PROPOSALS,
    labels=LABELS,
    coverage=COVERAGE,
    horizons=HORIZONS,
    effects=EFFECTS,
)
SWAP_PATHS = SwapPaths(swaps=SWAPS, summary=SWAP_SUMMARY, clips=SWAP_CLIPS)


def report(params: Params) -> None:
    """Write data/report and metrics/report.json."""
    features = feature_sources(params, tracks_with_activations(), PLACES)
    lens = read_lens(LENS_PATHS, heard_model(params))
    swaps = read_swaps(SWAP_PATHS, heard_model(params))
    tracks = read_tracks(TRACK_FILES, params)
    material = read_material(FILES)
    with atomic_folder(REPORT) as folder:
        counts = build_report(folder, material, params.report, features, lens, swaps, tracks)
    write_json(METRICS / "report.json", metrics_of(counts))


def heard_model(params: Params) -> str:
    """The model whose layers are heard."""
    return params.decoderlens.model or params.model.name


def metrics_of(counts: ReportCounts) -> dict[str, object]:
    """What can be heard."""
    return {"pairs": counts.pairs}


if __name__ == "__main__":
    run(report)
