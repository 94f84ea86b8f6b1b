"""From fitted probes to the rows of data/probes.jsonl, data/horizons.jsonl and the candidates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import numpy as np

from leitmotif.intervals import Interval
from leitmotif.probe.experiment import Fit, Fits
from leitmotif.probe.ranking import Ranked
from leitmotif.probe.targets import Horizon
from leitmotif.tables.candidates import CandidateRow
from leitmotif.tables.interval import IntervalRow, three_digits
from leitmotif.tables.probes import NaiveRow, ProbeRow, SelectivityRow

BINS = 20
"""Of partial correlations from 0 to 1, and as many from 0 to -1."""


def probe_rows(
    fits: Mapping[str, Fits],
    horizons: Sequence[Horizon],
    *,
    exploratory: bool,
) -> list[ProbeRow]:
    """A row for each model, site and horizon."""
    after = {horizon.name: horizon.after for horizon in horizons}
    return [
        _row(model, site, name, after[name], fit, exploratory)
        for model, by_site in fits.items()
        for site, by_horizon in by_site.items()
        for name, fit in by_horizon.items()
    ]


def _row(
    model: str, site: str, horizon: str, after: float, fit: Fit, exploratory: bool
) -> ProbeRow:
    return ProbeRow(
        model=model,
        site=site,
        horizon=horizon,
        after=after,
        r2_controls=IntervalRow.of(fit.r2_controls, 4),
        r2_full=IntervalRow.of(fit.r2_full, 4),
        partial_r2=IntervalRow.of(fit.partial_r2, 4),
        auroc_controls=_rounded(fit.auroc_controls),
        auroc=_rounded(fit.auroc),
        p=three_digits(fit.p),
        over_random_weights=_rounded(fit.over_random_weights),
        naive=None,
        selectivity=None,
        exploratory=exploratory,
    )


def _rounded(interval: Interval | None) -> IntervalRow | None:
    return None if interval is None else IntervalRow.of(interval, 4)


def beside(
    rows: Iterable[ProbeRow],
    *,
    model: str,
    horizon: str,
    naive: Mapping[str, NaiveRow],
    selectivity: Mapping[str, SelectivityRow],
) -> list[ProbeRow]:
    """Enter what is known by site of one model at one horizon."""
    return [
        row.model_copy(update={"naive": naive[row.site], "selectivity": selectivity[row.site]})
        if (row.model, row.horizon) == (model, horizon)
        else row
        for row in rows
    ]


def candidate_rows(chosen: Iterable[Ranked], *, exploratory: bool) -> list[CandidateRow]:
    """Chosen features of one horizon, the surest first, with their ranks."""
    return [
        CandidateRow(
            rank=rank,
            exploratory=exploratory,
            **{
                key: float(f"{value:.4g}") if isinstance(value, float) else value
                for key, value in asdict(one).items()
            },
        )
        for rank, one in enumerate(chosen, start=1)
    ]


def counted(tested: Sequence[Ranked], *, alpha: float) -> list[dict[str, object]]:
    """How many features of each site have which partial correlation: all, and those chosen.

    A line for each site, count and bin that holds a feature, for a plot.
    """
    chosen = [one for one in tested if one.q <= alpha]
    found = []
    for site in sorted({one.site for one in tested}):
        for name, members in (("tested", tested), ("chosen", chosen)):
            effects = [one.effect for one in members if one.site == site]
            counts, edges = np.histogram(effects, bins=2 * BINS, range=(-1.0, 1.0))
            found += [
                {
                    "site": site,
                    "count": name,
                    "effect": round(float(left + right) / 2, 3),
                    "features": int(count),
                }
                for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True)
                if count
            ]
    return found
