"""Views of the stage ``probes``: who foresees, what controls are worth, how features spread."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from leitmotif.claims import Claims
from leitmotif.sites import split_site
from leitmotif.tables.candidates import Ranked
from leitmotif.tables.interval import as_metric
from leitmotif.tables.probes import HorizonRow, ProbeRow, largest

BINS = 20
"""Number of bins of partial correlations from 0 to 1, and as many from 0 to -1."""


def metrics_of(
    rows: Sequence[ProbeRow], horizons: Sequence[HorizonRow], claims: Claims
) -> dict[str, object]:
    """Whether each model foresees, and the most that can be read from it where claims are made."""
    models = list(dict.fromkeys(row.model for row in rows))
    (claimed,) = (row for row in horizons if row.claimed)
    where = {
        model: claims.foresight([row for row in rows if row.model == model]) for model in models
    }
    most = {model: largest(rows, model=model, horizon=claimed.horizon) for model in models}
    own = where[models[0]]
    return {
        "models": {
            model: {
                "foresight": where[model] is not None,
                "partial_r2": {
                    **as_metric(most[model].partial_r2),
                    "least": most[model].least,
                },
            }
            for model in models
        },
        "site": None if own is None else own.site,
        "place_r2": next((row.naive.r2_place for row in rows if row.naive), None),
        "candidates": {"tested": claimed.tested, "chosen": claimed.chosen},
    }


def plots_of(
    rows: Sequence[ProbeRow],
    horizons: Sequence[HorizonRow],
    tested: Sequence[Ranked],
    claims: Claims,
) -> Mapping[str, pd.DataFrame]:
    """Partial R² by site and horizon, controls left out one by one, and features counted."""
    labels = {"labels": "exploratory" if any(row.exploratory for row in rows) else "verified"}
    return {
        "probes": pd.DataFrame(
            {
                "model": row.model,
                "layer": split_site(row.site)[0],
                "horizon": row.horizon,
                **labels,
                "partial_r2": row.partial_r2.mean,
                "low": row.partial_r2.low,
                "high": row.partial_r2.high,
            }
            for row in rows
        ),
        "controls": pd.DataFrame(
            {
                "horizon": row.horizon,
                "left_out": control.left_out,
                **labels,
                "r2_controls": control.r2_controls,
                "partial_r2": control.partial_r2,
            }
            for row in horizons
            for control in row.controls
        ),
        "candidates": pd.DataFrame({**line, **labels} for line in counted(tested, claims)),
    }


def counted(tested: Sequence[Ranked], claims: Claims) -> list[dict[str, object]]:
    """How many features of each site have which partial correlation: all, and those chosen.

    A line for each site, count and bin that holds a feature.
    """
    chosen = [feature for feature in tested if claims.is_chosen(feature.q)]
    lines: list[dict[str, object]] = []
    for site in sorted({feature.site for feature in tested}):
        for name, members in (("tested", tested), ("chosen", chosen)):
            effects = [feature.effect for feature in members if feature.site == site]
            counts, edges = np.histogram(effects, bins=2 * BINS, range=(-1.0, 1.0))
            lines += [
                {
                    "site": site,
                    "count": name,
                    "effect": round(float(left + right) / 2, 3),
                    "features": int(count),
                }
                for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True)
                if count
            ]
    return lines
