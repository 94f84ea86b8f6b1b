"""Views of the stage ``summary``: the table of approaches."""

from collections.abc import Sequence

import pandas as pd

from leitmotif.tables.approaches import ApproachRow
from leitmotif.tables.interval import as_metric


def metrics_of(rows: Sequence[ApproachRow]) -> dict[str, object]:
    """The columns of the table, by approach."""
    return {
        "approaches": {
            row.name: {
                "r2": row.r2,
                "clap": as_metric(row.clap_similarity),
                "delta_recurrence": as_metric(row.delta_recurrence),
                "screened": as_metric(row.screened.delta_recurrence) if row.screened else None,
                "verdict": row.verdict,
                "stable": row.otherwise is None or row.otherwise.stable,
            }
            for row in rows
        }
    }


def plot_of(rows: Sequence[ApproachRow]) -> pd.DataFrame:
    """Effect, R² and likeness of each approach that found something."""
    return pd.DataFrame(
        {
            "approach": row.name,
            "effect": row.delta_recurrence.mean,
            "low": row.delta_recurrence.low,
            "high": row.delta_recurrence.high,
            "r2": row.r2,
            "clap_similarity": row.clap_similarity.mean if row.clap_similarity else None,
            "verdict": row.verdict,
        }
        for row in rows
        if row.delta_recurrence
    )
