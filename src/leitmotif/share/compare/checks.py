"""Error rates, audits and identity: whether a change of results may rest on something else."""

from collections.abc import Mapping, Sequence
from typing import Any

from leitmotif.errors import counted
from leitmotif.share.compare.document import Cell, Data, Row, Section, TableBlock
from leitmotif.share.compare.leaves import ABSENT, value_at
from leitmotif.share.compare.metrics import Changed, cells, split, table
from leitmotif.share.compare.reading import Two
from leitmotif.share.compare.values import NOTHING, difference, form_of

_ERRORS = {"calibration"}
_AUDITS = {"sae"}
_LENS = {"decoderlens", "swaps"}
_ALONE = {("proposals", "null_any_rate")}
_IDENTITY = {("interventions", "identity_changed"), ("interventions", "excluded")}
_TRACKS = "track_identity"
"""The control whose loss shows what the identity of the track alone explains."""


def checks(
    values: Sequence[Changed], horizons: Two | None, inputs: TableBlock | None
) -> tuple[Section, list[Changed]]:
    """Error rates, audits and identity, and the values that are not shown.

    ``inputs`` has the weights and recordings that changed, if any did.
    """
    shown, rest = split(
        values,
        lambda value: (
            value.file in _ERRORS | _AUDITS or (value.file, *value.path[:1]) in _ALONE | _IDENTITY
        ),
    )
    rates, other = split(shown, lambda value: value.file in _ERRORS or value.file == "proposals")
    audits, identity = split(other, lambda value: value.file in _AUDITS)
    quiet = [
        name
        for name, changed in (
            ("error rates", rates), ("audits of autoencoders", audits),
            ("identity patches", identity), ("weights and recordings", inputs),
        )
        if not changed
    ]  # fmt: skip
    lines: list[Cell] = [(f"Unchanged: {', '.join(quiet)}.",)] if quiet else []
    tables = [
        *table(rates, "error rates", caption=("Error rates",) if rates else ()),
        *table(audits, "values of audits", caption=("Audits",)),
        *table(identity, "values of identity patches", caption=("Identity patches",)),
        *_track_identity(horizons),
        *([inputs] if inputs else []),
    ]
    return Section("Error rates, audits, identity", lines, tables), rest


def lens_and_swaps(values: Sequence[Changed]) -> tuple[Section, list[Changed]]:
    """The two experiments on concepts, and the values that are not shown."""
    chosen, rest = split(values, lambda value: value.file in _LENS)
    caption: Cell = (f"{counted(len(chosen), 'value')} of the lens and of swaps",)
    tables = table(chosen, "values of the lens and of swaps", caption=caption, folded=True)
    return Section("Lens and swaps", (), tables), rest


def _track_identity(two: Two | None) -> list[TableBlock]:
    """Partial R² without the control of track identity, by horizon; its table counts the change."""
    if two is None or not two.readable:
        return []
    old, new = (_without_identity(side) for side in (two.old, two.new))
    rows = []
    for horizon in dict.fromkeys([*new, *old]):
        before, after = old.get(horizon, ABSENT), new.get(horizon, ABSENT)
        if before != after:
            form = form_of(("partial_r2",))
            steps = cells(before, after, form)
            rows.append(Row(((Data(horizon),), *steps, (difference(before, after, form),)), 0))
    caption: Cell = ("Partial R² without the control ", Data(_TRACKS))
    columns = ("horizon", "old", "new", "change")
    return [TableBlock(("horizons",), columns, rows, caption)] if rows else []


def _without_identity(rows: Any) -> Mapping[str, Any]:
    by_horizon = {}
    for row in [] if rows is ABSENT else rows:
        value = value_at(row, ("controls", _TRACKS, "partial_r2"))
        if value is not ABSENT:
            by_horizon[str(row.get("horizon", NOTHING))] = value
    return by_horizon
