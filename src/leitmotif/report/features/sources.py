"""What the feature pages are made from, read from the pipeline's outputs."""

from collections.abc import Sequence
from pathlib import Path

from leitmotif.claims import Claims
from leitmotif.config import Params
from leitmotif.errors import LeitmotifError
from leitmotif.files import read_table, sha256_file
from leitmotif.files.restoring import how_to_restore
from leitmotif.pipeline import (
    ALIGNMENT,
    CANDIDATES,
    CORPUS,
    COVERAGE,
    FEATURES,
    LABELS,
    SAE,
    VERDICTS,
)
from leitmotif.report.features.chosen import choose
from leitmotif.report.features.listening import tracks_of
from leitmotif.report.features.pages import PageSources
from leitmotif.sae.autoencoder.encode import read_codes
from leitmotif.sae.autoencoder.used import load_used
from leitmotif.tables.candidates import CandidateRow
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.effects import VerdictRow
from leitmotif.tables.labels import Coverage, Label

TABLES = (CANDIDATES, LABELS, COVERAGE, ALIGNMENT)


def feature_sources(params: Params, tracks: Sequence[ManifestTrack]) -> PageSources | None:
    """Read what the pages of features need; None where no autoencoder has one to show.

    Raises LeitmotifError for a table or a file that cannot be read.
    """
    own, claims = Path(params.model.name).name, Claims.of(params.probes)
    shown = choose(
        read_table(CANDIDATES, CandidateRow),
        [row for row in read_table(VERDICTS, VerdictRow) if row.model == own],
        horizon=claims.claimed.name,
        limit=params.report.features,
    )
    if not shown:
        return None
    if not tracks:
        raise LeitmotifError(
            f"{CANDIDATES} has features, and no track is left to show them on",
            expected="tracks of the manifest with activations",
            fix=how_to_restore(),
        )
    headers = {
        hook: read_codes(SAE / hook / f"{tracks[0].track_id}.safetensors")[1]
        for hook in sorted({feature.ref.hook for feature in shown})
    }
    for ref in (feature.ref for feature in shown):
        if ref.feature >= headers[ref.hook].d_sae:
            raise LeitmotifError(
                f"{CANDIDATES} and {VERDICTS} do not fit the encoded features in {SAE}",
                found=f"feature {ref.feature} of {ref.hook}",
                expected=f"below {headers[ref.hook].d_sae}",
                fix=how_to_restore(),
            )
    listened = tracks_of(
        tracks,
        FEATURES,
        read_table(LABELS, Label),
        read_table(COVERAGE, Coverage),
        timing=headers[shown[0].ref.hook].timing,
        exploratory=params.probes.exploratory,
    )
    return PageSources(
        shown=shown,
        corpus=CORPUS,
        features=FEATURES,
        encoded=SAE,
        tracks=listened,
        used=load_used(params.sae.hooks, dtype=params.model.dtype_beside),
        horizons=claims.horizons,
        claimed=claims.claimed,
        misaligned={name: header.misaligned for name, header in headers.items()},
        seed=params.probes.seed,
        hashes={path.as_posix(): sha256_file(path) for path in TABLES},
    )
