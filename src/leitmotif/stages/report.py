"""Stage ``report``: the listening report, one folder of static pages with sound."""

from dataclasses import asdict

from leitmotif.config import Params
from leitmotif.files import write_json
from leitmotif.report.build import write_report
from leitmotif.report.material import Files, read_material
from leitmotif.stages import INTERVENTIONS, MANIFEST, METRICS, REPORT, run

FILES = Files(log=INTERVENTIONS, manifest=MANIFEST, metrics=METRICS)


def report(params: Params) -> None:
    """Write data/report and metrics/report.json."""
    counts = write_report(REPORT, read_material(FILES), params.report)
    write_json(METRICS / "report.json", asdict(counts))


if __name__ == "__main__":
    run(report)
