"""Which fields of a row say what it is of: by them two versions of a table are compared."""

from collections.abc import Iterable, Mapping
from typing import Any

from leitmotif.tables.alignment import AlignmentRow
from leitmotif.tables.approaches import ApproachRow
from leitmotif.tables.base import Table
from leitmotif.tables.calibration import CalibrationRow
from leitmotif.tables.candidates import CandidateRow
from leitmotif.tables.corpus import Exclusion, Failure, ManifestTrack
from leitmotif.tables.decoderlens import (
    DecoderLensRow,
    DivergenceRow,
    LensClipRow,
    SimilarityRow,
)
from leitmotif.tables.effects import EffectRow, VerdictRow
from leitmotif.tables.interchange import InterchangeRow
from leitmotif.tables.interventions import InterventionRow
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tables.openings import OpenedRecording
from leitmotif.tables.probes import HorizonRow, ProbeRow
from leitmotif.tables.proposals import Proposal
from leitmotif.tables.swaps import SwapClipRow, SwapRow, SwapSummaryRow

_ROWS: Mapping[str, type[Table]] = {
    "data/alignment.jsonl": AlignmentRow,
    "data/approaches.jsonl": ApproachRow,
    "data/calibration.jsonl": CalibrationRow,
    "data/candidates.jsonl": CandidateRow,
    "data/coverage.jsonl": Coverage,
    "data/decoderlens.jsonl": DecoderLensRow,
    "data/effects.jsonl": EffectRow,
    "data/excluded.jsonl": Exclusion,
    "data/failures.jsonl": Failure,
    "data/horizons.jsonl": HorizonRow,
    "data/interchange.jsonl": InterchangeRow,
    "data/interventions.jsonl": InterventionRow,
    "data/labels.jsonl": Label,
    "data/layer_similarity.jsonl": SimilarityRow,
    "data/lens_divergence.jsonl": DivergenceRow,
    "data/manifest.jsonl": ManifestTrack,
    "data/openings.jsonl": OpenedRecording,
    "data/probes.jsonl": ProbeRow,
    "data/proposals.jsonl": Proposal,
    "data/swap_summary.jsonl": SwapSummaryRow,
    "data/swaps.jsonl": SwapRow,
    "data/verdicts.jsonl": VerdictRow,
}
KEYS: Mapping[str, tuple[str, ...]] = {path: row.KEY for path, row in _ROWS.items()}
"""By the path of the table; a dot leads into a field's own fields."""
IN_FOLDERS: Mapping[str, tuple[str, ...]] = {
    "data/lens/clips.jsonl": LensClipRow.KEY,
    "data/swap_clips/clips.jsonl": SwapClipRow.KEY,
}
"""The same of tables that lie in a folder of clips."""


def key_fields(path: str, rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The fields of a table's key that each of its rows has.

    Parameters
    ----------
    path: of the table, such as ``data/probes.jsonl``.
    rows: as JSON, of any version of the table.

    Returns an empty tuple for a table that ``KEYS`` does not name.
    """
    fields = KEYS.get(path, ())
    for row in rows:
        fields = tuple(name for name in fields if _has(row, name))
    return fields


def field_of(row: Mapping[str, Any], name: str) -> Any:
    """The value of a field of a key; raises KeyError if the row does not have it."""
    value: Any = row
    for part in name.split("."):
        if not isinstance(value, Mapping):
            raise KeyError(name)
        value = value[part]
    return value


def _has(row: Mapping[str, Any], name: str) -> bool:
    try:
        field_of(row, name)
    except KeyError:
        return False
    return True
