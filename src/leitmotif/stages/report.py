"""Stage ``report``: the listening report, one folder of static pages with sound."""

from pathlib import Path

from leitmotif.claims import Claims
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
    claims = Claims.of(params.probes)
    shown = choose(
        read_table(CANDIDATES, CandidateRow),
        [row for row in read_table(VERDICTS, VerdictRow) if row.model == own],
        horizon=claims.claimed.name,
        limit=params.report.features,
    )
    if not shown:
        return None
    tracks = tracks_of(
        readable_tracks(),
        FEATURES,
        read_table(LABELS, Label),
        read_table(COVERAGE, Coverage),
        exploratory=params.probes.exploratory,
    )
    used = load_used(params.sae.hooks, dtype=params.model.dtype_beside)
    first = tracks[0].row.track_id
    headers = {
        hook: read_codes(SAE / hook / f"{first}.safetensors")[1]
        for hook in sorted({one.ref.hook for one in shown})
    }
    tables = (CANDIDATES, LABELS, ALIGNMENT)
    return Sources(
        shown=shown,
        corpus=CORPUS,
        features=FEATURES,
        encoded=SAE,
        tracks=tracks,
        used=used,
        horizons=claims.horizons,
        claimed=claims.claimed,
        misaligned={name: header.misaligned for name, header in headers.items()},
        seed=params.probes.seed,
        hashes={path.as_posix(): sha256_file(path) for path in tables},
    )


if __name__ == "__main__":
    run(report)
