"""Which fields of a row say what it is of: by them two versions of a table are compared."""

from collections.abc import Iterable, Mapping
from typing import Any

KEYS: Mapping[str, tuple[str, ...]] = {
    "data/alignment.jsonl": ("hook", "site"),
    "data/approaches.jsonl": ("name",),
    "data/calibration.jsonl": ("kind", "generator", "horizon", "site", "strength"),
    "data/candidates.jsonl": ("hook", "site", "feature", "horizon", "misaligned"),
    "data/coverage.jsonl": ("track_id",),
    "data/decoderlens.jsonl": ("lens", "heard", "slot", "concept", "layer"),
    "data/effects.jsonl": ("model", "candidate", "name"),
    "data/excluded.jsonl": ("track_id",),
    "data/failures.jsonl": ("track_id", "path"),
    "data/horizons.jsonl": ("horizon",),
    "data/interchange.jsonl": ("model", "site", "donor", "window", "slot", "after", "until"),
    "data/interventions.jsonl": ("model", "candidate", "name", "track_id", "seed", "clip_id"),
    "data/labels.jsonl": (
        "track_id", "motif.start_sample", "recurrence.start_sample", "transposition", "pair",
    ),
    "data/layer_similarity.jsonl": ("concept", "first", "second"),
    "data/lens_divergence.jsonl": ("lens", "layer", "codebook"),
    "data/manifest.jsonl": ("track_id",),
    "data/openings.jsonl": ("model", "track_id"),
    "data/probes.jsonl": ("model", "site", "horizon"),
    "data/proposals.jsonl": (
        "track_id", "motif.start_sample", "recurrence.start_sample", "transposition",
    ),
    "data/swap_summary.jsonl": (
        "technique", "component", "layers", "frames", "scope", "original_slot", "desired_slot",
        "depth",
    ),
    "data/swaps.jsonl": ("technique", "component", "layers", "frames", "original", "desired"),
    "data/verdicts.jsonl": ("model", "candidate"),
}  # fmt: skip
"""By the path of the table; a dot leads into a field's own fields. No two rows of a table have the
same values in them."""
IN_FOLDERS: Mapping[str, tuple[str, ...]] = {
    "data/lens/clips.jsonl": ("concept", "prompt", "layer", "lens", "heard"),
    "data/swap_clips/clips.jsonl": (
        "original", "desired", "technique", "component", "layer", "prompt",
    ),
}  # fmt: skip
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
