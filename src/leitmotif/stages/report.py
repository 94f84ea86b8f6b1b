"""Stage ``report``: the listening report, one folder of static pages with sound."""

from leitmotif.config import Params
from leitmotif.files import atomic_folder, write_json
from leitmotif.pipeline import METRICS, REPORT
from leitmotif.report.build import ReportCounts, build_report
from leitmotif.stages.reported import read_reported


def report(params: Params) -> None:
    """Write data/report and metrics/report.json."""
    parts = read_reported(params)
    with atomic_folder(REPORT) as folder:
        counts = build_report(
            folder,
            parts.material,
            params.report,
            parts.features,
            parts.lens,
            parts.swaps,
            parts.tracks,
        )
    write_json(METRICS / "report.json", metrics_of(counts))


def metrics_of(counts: ReportCounts) -> dict[str, object]:
    """What can be heard."""
    return {"pairs": counts.pairs}
