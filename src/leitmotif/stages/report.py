"""Stage ``report``: the listening report, one folder of static pages with sound."""

from leitmotif.config import Params
from leitmotif.files import atomic_folder, write_json
from leitmotif.pipeline import METRICS, REPORT
from leitmotif.report.build import ReportCounts, Reported, build_report
from leitmotif.report.features.sources import feature_sources
from leitmotif.report.lens.sources import read_lens
from leitmotif.report.material import read_material
from leitmotif.report.swaps.sources import read_swaps
from leitmotif.report.tracks import read_tracks
from leitmotif.stages.tracks import tracks_with_activations


def report(params: Params) -> None:
    """Write data/report and metrics/report.json."""
    reported = read_reported(params)
    with atomic_folder(REPORT) as folder:
        counts = build_report(folder, reported, params.report)
    write_json(METRICS / "report.json", metrics_of(counts))


def read_reported(params: Params) -> Reported:
    """Read the outputs; raises LeitmotifError for one that is missing or cannot be read."""
    heard = params.decoderlens.model or params.model.name
    # The tables first: what is wrong with one of them is said of the table.
    material, tracks = read_material(), read_tracks(params)
    return Reported(
        material=material,
        tracks=tracks,
        features=feature_sources(params, tracks_with_activations()),
        lens=read_lens(heard),
        swaps=read_swaps(heard),
    )


def metrics_of(counts: ReportCounts) -> dict[str, object]:
    """What can be heard."""
    return {"pairs": counts.pairs}
