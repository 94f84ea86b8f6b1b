"""Stage ``report``: the listening report, one folder of static pages with sound."""

from pathlib import Path

from leitmotif.config import Params
from leitmotif.files import read_table, sha256_file, write_json
from leitmotif.report.build import Counts, write_report
from leitmotif.report.features.chosen import choose
from leitmotif.report.features.listening import tracks_of
from leitmotif.report.features.pages import Sources
from leitmotif.report.material import Files, read_material
from leitmotif.sae.encode import read_codes
from leitmotif.sae.used import load_used
from leitmotif.stages import (
    ALIGNMENT,
    APPROACHES,
    CALIBRATION,
    CANDIDATES,
    CORPUS,
    COVERAGE,
    EFFECTS,
    FEATURES,
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
from leitmotif.stages.rows import claimed_horizon, horizons_of
from leitmotif.stages.tracks import readable_tracks
from leitmotif.tables.candidates import CandidateRow
from leitmotif.tables.effects import VerdictRow
from leitmotif.tables.labels import Coverage, Label

FILES = Files(
    log=INTERVENTIONS,
    manifest=MANIFEST,
    alignment=ALIGNMENT,
    probes=PROBES,
    calibration=CALIBRATION,
    effects=EFFECTS,
    verdicts=VERDICTS,
    approaches=APPROACHES,
)


def report(params: Params) -> None:
    """Write data/report and metrics/report.json."""
    counts = write_report(REPORT, read_material(FILES), params.report, feature_sources(params))
    write_json(METRICS / "report.json", metrics_of(counts))


def metrics_of(counts: Counts) -> dict[str, object]:
    """What can be heard."""
    return {"pairs": counts.pairs}


def feature_sources(params: Params) -> Sources | None:
    """What the pages of features are made from; None where no autoencoder has one to show."""
    own = Path(params.model.name).name
    claimed = claimed_horizon(params.probes)
    shown = choose(
        read_table(CANDIDATES, CandidateRow),
        [row for row in read_table(VERDICTS, VerdictRow) if row.model == own],
        horizon=claimed.name,
        limit=params.report.features,
    )
    if not shown:
        return None
    rows = readable_tracks()
    used = load_used(params.sae.hooks, dtype=params.model.dtype_beside)
    first = rows[0].track_id
    headers = {
        hook: read_codes(SAE / hook / f"{first}.safetensors")[1]
        for hook in sorted({one.ref.hook for one in shown})
    }
    tracks = tracks_of(
        rows,
        FEATURES,
        read_table(LABELS, Label),
        read_table(COVERAGE, Coverage),
        timing=headers[shown[0].ref.hook].timing,
        exploratory=params.probes.exploratory,
    )
    tables = (CANDIDATES, LABELS, ALIGNMENT)
    return Sources(
        shown=shown,
        corpus=CORPUS,
        features=FEATURES,
        encoded=SAE,
        tracks=tracks,
        used=used,
        horizons=horizons_of(params.probes),
        claimed=claimed,
        misaligned={name: header.misaligned for name, header in headers.items()},
        seed=params.probes.seed,
        hashes={path.as_posix(): sha256_file(path) for path in tables},
    )


if __name__ == "__main__":
    run(report)
