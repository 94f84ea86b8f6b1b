"""Views of the stage ``sae``: audits and trials counted, and every autoencoder at every site."""

from collections.abc import Iterable, Sequence

import pandas as pd

from leitmotif.tables.alignment import AlignmentRow
from leitmotif.tables.interval import IntervalRow, as_metric

COLUMNS = ("autoencoder", "site", "fvu", "low", "high", "cosine", "l0")


def metrics_of(rows: Sequence[AlignmentRow]) -> dict[str, object]:
    """Audits and trials counted, with the closest of the audits and the worst reconstruction."""
    audits = [row.audit for row in rows if row.audit is not None]
    losses = [row.loss_recovered for row in rows if row.loss_recovered is not None]
    trials = [trial for row in rows for trial in row.trials]
    return {
        "audits_passed": sum(audit.passed for audit in audits),
        "audits_failed": sum(not audit.passed for audit in audits),
        "misalignments_tried": len(trials),
        "misalignments_caught": sum(trial.caught for trial in trials),
        "least_margin": as_metric(_least(audit.margin for audit in audits)),
        "least_loss_recovered": as_metric(_least(losses)),
    }


def _least(intervals: Iterable[IntervalRow]) -> IntervalRow | None:
    return min(intervals, key=lambda interval: interval.mean, default=None)


def plot_of(rows: Sequence[AlignmentRow]) -> pd.DataFrame:
    """A cell of a heat map for each autoencoder and site."""
    cells = [
        {
            "autoencoder": row.hook,
            "site": row.site,
            "fvu": round(row.fvu.mean, 4),
            "low": round(row.fvu.low, 4),
            "high": round(row.fvu.high, 4),
            "cosine": round(row.cosine.mean, 4),
            "l0": round(row.l0.mean, 2),
        }
        for row in rows
    ]
    return pd.DataFrame(cells, columns=[*COLUMNS])
