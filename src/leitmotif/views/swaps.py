"""Views of the stage ``swaps``: which components make a concept, and at what price."""

from collections.abc import Sequence

import pandas as pd

from leitmotif.tables.interval import as_metric
from leitmotif.tables.swaps import SwapRow, SwapSummaryRow, of_first_frames


def metrics_of(rows: Sequence[SwapRow], summary: Sequence[SwapSummaryRow]) -> dict[str, object]:
    """Effect and precision by technique and branch, mean over single layers, of all pairs.

    Of several spans of frames, all is of the first.

    ``best`` is the single layer that exceeds its strongest control most, if the tests say that it
    does, ``cells`` how many cells exceed their controls at q 0.05, of how many, and ``itself`` the
    largest absolute effect of a concept's own mean under ``adjust``, which is 0 unless something is
    wrong.
    """
    rows, summary = of_first_frames(rows), of_first_frames(summary)
    over_layers = [row for row in summary if row.scope == "all" and row.depth == "every"]
    single = [row for row in summary if row.scope == "all" and row.depth is None]
    branches = {
        kind: [r for r in over_layers if r.technique == kind and r.component != "residual"]
        for kind in dict.fromkeys(row.technique for row in over_layers)
    }
    own = [
        abs(row.controls["itself"].effect.mean)
        for row in rows
        if row.technique == "adjust" and "itself" in row.controls
    ]
    return {
        "effect": {
            kind: {row.component: as_metric(row.swap.effect) for row in of_kind}
            for kind, of_kind in branches.items()
        },
        "precision": {
            kind: {row.component: row.swap.precision.mean for row in of_kind}
            for kind, of_kind in branches.items()
        },
        "ideal_precision": next((row.ideal_precision for row in single), None),
        "best": {kind: _best([r for r in single if r.technique == kind]) for kind in branches},
        "cells": {
            "tried": len(single),
            "beyond_controls": sum(row.beyond for row in single),
        },
        "itself": max(own, default=None),
    }


def plot_of(summary: Sequence[SwapSummaryRow]) -> pd.DataFrame:
    """Effect and precision of all pairs by technique, component and layer, in the first frames."""
    columns = [
        "technique", "component", "layer", "effect", "low", "high", "original", "desired",
        "precision", "ideal_precision", "control",
    ]  # fmt: skip
    return pd.DataFrame(
        [
            {
                "technique": row.technique,
                "component": row.component,
                "layer": row.layers[0],
                "effect": row.swap.effect.mean,
                "low": row.swap.effect.low,
                "high": row.swap.effect.high,
                "original": row.swap.original.mean,
                "desired": row.swap.desired.mean,
                "precision": row.swap.precision.mean,
                "ideal_precision": row.ideal_precision,
                "control": row.controls[row.strongest].effect.mean if row.strongest else None,
            }
            for row in of_first_frames(summary)
            if row.scope == "all" and row.depth is None and len(row.layers) == 1
        ],
        columns=columns,
    )


def _best(rows: Sequence[SwapSummaryRow]) -> str | None:
    """Site of the single layer and branch that exceeds its controls most; None if none does."""
    inside = [r for r in rows if r.beyond and len(r.layers) == 1 and r.component != "residual"]
    if not inside:
        return None
    best = max(inside, key=lambda row: row.excess.mean if row.excess else 0.0)
    return f"layers.{best.layers[0]}.{best.component}"
