"""Stage ``manifest``: the tracks that the experiment uses, and the reasons against the others."""

import sys
from collections.abc import Sequence

from leitmotif.config import Params
from leitmotif.corpus.manifest import select
from leitmotif.errors import StageError, counted
from leitmotif.files import read_table, write_json, write_table
from leitmotif.pipeline import CORPUS, EXCLUDED, MANIFEST, METRICS
from leitmotif.tables.corpus import TRACKS, CorpusTrack, Exclusion, ManifestTrack


def manifest(params: Params) -> None:
    """Write data/manifest.jsonl, data/excluded.jsonl and metrics/manifest.json.

    Raises StageError if no track is eligible.
    """
    chosen = select(read_table(CORPUS / TRACKS, CorpusTrack), params.manifest)
    if not chosen.tracks:
        raise StageError(
            "no track of the corpus is eligible",
            found=", ".join(f"{count} {reason}" for reason, count in chosen.counts().items()),
            fix="loosen the rules under manifest in params.yaml",
        )
    if chosen.eligible < params.manifest.tracks:
        print(
            f"manifest: {counted(chosen.eligible, 'eligible track')}, and all are taken: "
            f"manifest.tracks allows {params.manifest.tracks}",
            file=sys.stderr,
        )
    write_table(MANIFEST, chosen.tracks)
    write_table(EXCLUDED, chosen.excluded)
    write_json(METRICS / "manifest.json", metrics_of(chosen.tracks, chosen.excluded))


def metrics_of(tracks: Sequence[ManifestTrack], excluded: Sequence[Exclusion]) -> dict[str, object]:
    """How many tracks are used, and how many were left out for a reason."""
    return {"tracks": len(tracks), "excluded": len(excluded)}
