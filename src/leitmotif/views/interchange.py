"""Views of the stage ``interchange``: how far ahead each model's residuals carry the event."""

from collections.abc import Sequence

import pandas as pd

from leitmotif.claims import Claims
from leitmotif.tables.interchange import InterchangeRow
from leitmotif.tables.interval import as_metric


def metrics_of(rows: Sequence[InterchangeRow], claims: Claims) -> dict[str, object]:
    """How far ahead of the event each site carries it, and the best accuracy of each model.

    ``leads`` has seconds by model and site. ``iia`` is the largest interchange intervention
    accuracy of a site at the nearest lead of which a claim is made.
    """
    models = list(dict.fromkeys(row.model for row in rows))
    return {
        "iia": {model: _accuracy(rows, model, claims) for model in models},
        "leads": {model: claims.leads(rows, model=model) for model in models},
        "events": max((row.events for row in rows), default=0),
    }


def _accuracy(
    rows: Sequence[InterchangeRow], model: str, claims: Claims
) -> dict[str, float] | None:
    at = [
        row
        for row in rows
        if (row.model, row.window, row.donor, row.slot, row.after)
        == (model, "ahead", "counterfactual", None, claims.claimed.after)
    ]
    best = max(at, key=lambda row: row.accuracy.mean, default=None)
    return None if best is None else as_metric(best.accuracy)


def plot_of(rows: Sequence[InterchangeRow]) -> pd.DataFrame:
    """Share of the total effect by model, site and lead, in one stretch and from there back."""
    columns = ["model", "site", "exchanged", "lead", "share", "low", "high", "accuracy"]
    return pd.DataFrame(
        [
            {
                "model": row.model,
                "site": row.site,
                "exchanged": "this stretch" if row.window == "between" else "all before",
                "lead": row.after,
                "share": None if row.share is None else row.share.mean,
                "low": None if row.share is None else row.share.low,
                "high": None if row.share is None else row.share.high,
                "accuracy": row.accuracy.mean,
            }
            for row in rows
            if row.window in ("between", "ahead")
            and row.donor == "counterfactual"
            and row.slot is None
        ],
        columns=columns,
    )
