"""From fitted probes to the rows of data/probes.jsonl, data/horizons.jsonl and the candidates."""

from collections.abc import Iterable, Mapping

from leitmotif.claims import Claims
from leitmotif.intervals import Interval
from leitmotif.probe.estimators.experiment import Fit, Fits
from leitmotif.probe.estimators.robustness import robustness
from leitmotif.tables.interval import IntervalRow, three_digits
from leitmotif.tables.probes import NaiveRow, ProbeRow, SelectivityRow


def probe_rows(
    fits: Mapping[str, Fits],
    claims: Claims,
    *,
    exploratory: bool,
) -> list[ProbeRow]:
    """A row for each model, site and horizon."""
    after = {horizon.name: horizon.after for horizon in claims.horizons}
    return [
        _row(model, site, name, after[name], fit, claims, len(by_site), exploratory)
        for model, by_site in fits.items()
        for site, by_horizon in by_site.items()
        for name, fit in by_horizon.items()
    ]


def _row(
    model: str,
    site: str,
    horizon: str,
    after: float,
    fit: Fit,
    claims: Claims,
    sites: int,
    exploratory: bool,
) -> ProbeRow:
    n, p, over = len(fit.by_all), three_digits(fit.p), fit.over_random_weights
    least = claims.least_decodable(
        fit.null.tolist(), fit.partial_r2, over, after=after, sites=sites
    )
    return ProbeRow(
        model=model,
        site=site,
        horizon=horizon,
        after=after,
        r2_controls=IntervalRow.of(fit.r2_controls, 4, n=n),
        r2_full=IntervalRow.of(fit.r2_full, 4, n=n),
        partial_r2=IntervalRow.of(fit.partial_r2, 4, p=p, n=n),
        robustness=IntervalRow.of(robustness(fit.partial_r2), 4, p=p, n=n),
        auroc_controls=_rounded(fit.auroc_controls, n),
        auroc=_rounded(fit.auroc, n),
        p=p,
        least=None if least is None else round(least, 4),
        over_random_weights=_rounded(over, n, fit.p_over_random_weights),
        naive=None,
        selectivity=None,
        exploratory=exploratory,
    )


def _rounded(interval: Interval | None, tracks: int, p: float | None = None) -> IntervalRow | None:
    return None if interval is None else IntervalRow.of(interval, 4, p=p, n=tracks)


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
