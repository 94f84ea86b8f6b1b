"""Stage ``sae``: encode the activations, and measure whether each autoencoder is on its site."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from leitmotif.config import ModelParams, Params
from leitmotif.errors import ModelError
from leitmotif.files import atomic_folder, write_json, write_table, write_text
from leitmotif.progress import progress
from leitmotif.sae.audit import Audit, Interval, SiteFit, judge, measure_each, neighbours
from leitmotif.sae.encode import Encoded, encode_each
from leitmotif.sae.misalignment import Trial, misalign
from leitmotif.sae.pool import RowPool
from leitmotif.sae.splice import Replacement, Splicing, recovered
from leitmotif.sae.used import Used, load_used
from leitmotif.sites import split_site
from leitmotif.stages import ACTIVATIONS, ALIGNMENT, CORPUS, METRICS, PLOTS, SAE, WORK_CACHE, run
from leitmotif.stages.tracks import readable_tracks
from leitmotif.store import ActivationStore
from leitmotif.tables.alignment import AlignmentRow, AuditRow, EncodedRow, TrainedRow, TrialRow
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.interval import IntervalRow, as_metric


def sae(params: Params) -> None:
    """Write data/sae, data/alignment.jsonl, metrics/sae.json and plots/sae.csv."""
    settings = params.sae
    store = ActivationStore(ACTIVATIONS)
    used = load_used(settings.hooks, dtype=params.model.dtype_beside)
    with atomic_folder(SAE) as out:
        each = encode_each(used, store, out, allow_misaligned=settings.allow_misaligned)
        encoded = list(progress(each, "autoencoders", total=len(used)))
        # With no autoencoder in use the folder would be empty, of which DVC warns at every run.
        write_table(out / "hooks.jsonl", [one.hook for one in used])
    saes = {one.hook.name: (one.sae, _alike(store, one.site)) for one in used}
    measured = measure_each(saes, store, seed=settings.seed)
    fits = dict(progress(measured, "alignment", total=len(used)))
    audits = [_audit(one, fits[one.hook.name], settings.reach) for one in used]
    failing = [one for one in audits if not one.passed]
    if failing and not settings.allow_misaligned:
        raise ModelError(
            "an autoencoder does not reconstruct its site best",
            found="; ".join(map(_verdict, failing)),
            expected="the smallest share of variance unexplained at the declared site",
            fix="give the site named in hooks.yaml and activations.sites, or set "
            "sae.allow_misaligned to go on with every output branded",
        )
    headers = {site: store.header(site, store.tracks(site)[0]) for site in store.sites}
    trials = [
        trial
        for one in used
        if one.site == one.hook.site
        for trial in misalign(
            one.hook, one.sae.config, fits[one.hook.name], headers, reach=settings.reach
        )
    ]
    tracks = readable_tracks()
    spread = tracks[:: max(1, len(tracks) // settings.spliced_tracks)][: settings.spliced_tracks]
    losses = _spliced(params.model, used, store, spread, settings.seed)
    rows = _rows(used, encoded, fits, audits, trials, losses)
    write_table(ALIGNMENT, rows)
    write_json(METRICS / "sae.json", metrics_of(rows))
    write_text(PLOTS / "sae.csv", _heat_map(fits).to_csv(index=False))


def _alike(store: ActivationStore, site: str) -> list[str]:
    kind = split_site(site)[1]
    return [stored for stored in store.sites if split_site(stored)[1] == kind]


def _audit(one: Used, fits: Mapping[str, SiteFit], reach: int) -> Audit:
    near = neighbours(list(fits), one.site, reach=reach)
    return judge(one.hook.name, {site: fits[site] for site in near}, one.site)


def _verdict(audit: Audit) -> str:
    there, best = (audit.fits[site].fvu.mean for site in (audit.declared, audit.best))
    return (
        f"{audit.checkpoint} leaves {there:.3f} unexplained at {audit.declared}, "
        f"{best:.3f} at {audit.best}"
    )


def _spliced(
    model_params: ModelParams,
    used: Sequence[Used],
    store: ActivationStore,
    tracks: Sequence[ManifestTrack],
    seed: int,
) -> dict[str, Interval]:
    """Share of the loss recovered by each autoencoder, by the name of its hook."""
    if not used:
        return {}
    replacements = [
        Replacement(one.site, one.sae, RowPool(store, one.site).centre()[0]) for one in used
    ]
    splicing = Splicing(model_params, replacements, CORPUS, WORK_CACHE)
    measured = progress(splicing.run(tracks), "spliced loss", total=len(tracks))
    by_hook = zip(used, zip(*measured, strict=True), strict=True)
    return {one.hook.name: recovered(losses, seed=seed) for one, losses in by_hook}


def _rows(
    used: Sequence[Used],
    encoded: Sequence[Encoded],
    fits: Mapping[str, Mapping[str, SiteFit]],
    audits: Sequence[Audit],
    trials: Sequence[Trial],
    losses: Mapping[str, Interval],
) -> list[AlignmentRow]:
    """Each autoencoder at each site that was measured, in the order of the settings."""
    return [
        AlignmentRow(
            hook=one.hook.name,
            site=site,
            fvu=IntervalRow.of(fit.fvu, n=fit.tracks),
            cosine=IntervalRow.of(fit.cosine, n=fit.tracks),
            l0=IntervalRow.of(fit.l0, n=fit.tracks),
            dead_fraction=round(fit.dead_fraction, 5),
            trials=[
                TrialRow(falsified=trial.falsified, caught=trial.caught, best=trial.best)
                for trial in trials
                if (trial.checkpoint, trial.used) == (one.hook.name, site)
            ],
            **(_given(one, its, audit, losses[one.hook.name]) if site == one.site else _NOT_GIVEN),
        )
        for one, its, audit in zip(used, encoded, audits, strict=True)
        for site, fit in fits[one.hook.name].items()
    ]


_NOT_GIVEN: dict[str, Any] = dict.fromkeys(
    ("audit", "loss_recovered", "encoded", "misaligned", "trained")
)


def _given(one: Used, encoded: Encoded, audit: Audit, loss: Interval) -> dict[str, Any]:
    """What is known only of the site whose activations an autoencoder is given."""
    tracks = audit.fits[audit.declared].tracks
    return {
        "audit": AuditRow(
            best=audit.best, margin=IntervalRow.of(audit.margin, n=tracks), passed=audit.passed
        ),
        "loss_recovered": IntervalRow.of(loss, 4),
        "encoded": EncodedRow(
            frames=encoded.frames,
            l0=round(encoded.l0, 3),
            most=encoded.most,
            bytes_per_frame=round(encoded.bytes / max(encoded.frames, 1), 1),
        ),
        "misaligned": encoded.misaligned or "",
        "trained": None
        if one.trained is None
        else TrainedRow(**one.trained.model_dump(exclude={"settings"})),
    }


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
    return min(intervals, key=lambda one: one.mean, default=None)


def _heat_map(fits: Mapping[str, Mapping[str, SiteFit]]) -> pd.DataFrame:
    rows = [
        {
            "autoencoder": name,
            "site": site,
            "fvu": round(fit.fvu.mean, 4),
            "low": round(fit.fvu.low, 4),
            "high": round(fit.fvu.high, 4),
            "cosine": round(fit.cosine.mean, 4),
            "l0": round(fit.l0.mean, 2),
        }
        for name, by_site in fits.items()
        for site, fit in by_site.items()
    ]
    return pd.DataFrame(rows, columns=["autoencoder", "site", "fvu", "low", "high", "cosine", "l0"])


if __name__ == "__main__":
    run(sae)
