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
    EFFECTS,
    FEATURES,
    INTERCHANGE,
    INTERVENTIONS,
    LABELS,
    MANIFEST,
    METRICS,
    PROBES,
    REPORT,
    SAE,
    VERDICTS,
    run,
)
from leitmotif.report.build import ReportCounts, build_report
from leitmotif.report.features.sources import FeaturePaths, feature_sources
from leitmotif.report.material import ReportFiles, read_material
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


def report(params: Params) -> None:
    """Write data/report and metrics/report.json."""
    sources = feature_sources(params, tracks_with_activations(), PLACES)
    with atomic_folder(REPORT) as folder:
        counts = build_report(folder, read_material(FILES), params.report, sources)
    write_json(METRICS / "report.json", metrics_of(counts))


def metrics_of(counts: ReportCounts) -> dict[str, object]:
    """What can be heard."""
    return {"pairs": counts.pairs}


if __name__ == "__main__":
    run(report)
