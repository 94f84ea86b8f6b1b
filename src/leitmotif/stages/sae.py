"""Stage ``sae``: encode the activations, and measure whether each autoencoder is on its site."""

from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd

from leitmotif.config import ModelParams, Params
from leitmotif.corpus.tables import ManifestTrack
from leitmotif.errors import ModelError
from leitmotif.files import atomic_folder, write_json, write_table, write_text
from leitmotif.musicgen import HookedMusicGen
from leitmotif.progress import progress
from leitmotif.sae.alignment import BRAND
from leitmotif.sae.audit import Audit, Interval, SiteFit, judge, measure_sites, neighbours
from leitmotif.sae.encode import Encoded, encode_site
from leitmotif.sae.misalignment import Trial, misalign
from leitmotif.sae.pool import RowPool
from leitmotif.sae.splice import SplicedLoss, read_codes_of, recovered, track_loss
from leitmotif.sae.used import Used, load_used
from leitmotif.sites import split_site
from leitmotif.stages import ACTIVATIONS, CORPUS, METRICS, PLOTS, SAE, run
from leitmotif.stages.tracks import readable_tracks
from leitmotif.store import ActivationStore


def sae(params: Params) -> None:
    """Write data/sae, metrics/sae.json and plots/sae.csv."""
    settings = params.sae
    store = ActivationStore(ACTIVATIONS)
    used = load_used(settings.hooks, dtype=params.model.dtype_beside)
    with atomic_folder(SAE) as out:
        encoded = [
            encode_site(
                one.sae,
                one.hook,
                store,
                out,
                site=one.site,
                allow_misaligned=settings.allow_misaligned,
                shown=partial(
                    progress, description=one.hook.name, total=len(store.tracks(one.site))
                ),
            )
            for one in used
        ]
        # With no autoencoder in use the folder would be empty, of which DVC warns at every run.
        write_table(out / "hooks.jsonl", [one.hook for one in used])
    fits = {
        one.hook.name: measure_sites(
            one.hook.name, one.sae, store, _alike(store, one.site), seed=settings.seed
        )
        for one in progress(used, "alignment", total=len(used))
    }
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
    write_json(METRICS / "sae.json", _metrics(used, encoded, audits, trials, losses))
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
    """Share of the loss recovered at each site."""
    if not used:
        return {}
    model = HookedMusicGen.from_pretrained(
        model_params.name,
        revision=model_params.revision,
        device=model_params.device,
        dtype=model_params.dtype,
        text_padding=model_params.text_padding,
    )
    means = {one.site: RowPool(store, one.site).centre()[0] for one in used}
    losses: dict[str, list[SplicedLoss]] = {one.site: [] for one in used}
    for track in progress(tracks, "spliced loss", total=len(tracks)):
        windows = list(read_codes_of(model, track, CORPUS))
        for one in used:
            autoencoder = one.sae.to(model.device)
            loss = track_loss(model, autoencoder, one.site, windows, mean=means[one.site])
            losses[one.site].append(loss)
    return {site: recovered(values, seed=seed) for site, values in losses.items()}


def _metrics(
    used: Sequence[Used],
    encoded: Sequence[Encoded],
    audits: Sequence[Audit],
    trials: Sequence[Trial],
    losses: Mapping[str, Interval],
) -> dict[str, object]:
    brands = [one.misaligned for one in encoded if one.misaligned]
    brands += [f"{BRAND}: {_verdict(audit)}" for audit in audits if not audit.passed]
    return {
        "misaligned": brands,
        "audits": [audit.as_metric() for audit in audits],
        "misalignments": {
            "tried": len(trials),
            "caught": sum(trial.caught for trial in trials),
            "declared_wrongly": sum(not trial.falsified for trial in trials),
            "falsified": sum(trial.falsified for trial in trials),
            "named_true_site": sum(trial.best == trial.trained for trial in trials),
            "missed": [trial.as_metric() for trial in trials if not trial.caught],
        },
        "training": [one.trained.as_metric() for one in used if one.trained is not None],
        "loss_recovered": {site: value.as_metric(4) for site, value in losses.items()},
        "encoded": {
            one.hook: {
                "frames": one.frames,
                "l0": round(one.l0, 3),
                "most": one.most,
                "bytes_per_frame": round(one.bytes / max(one.frames, 1), 1),
            }
            for one in encoded
        },
    }


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
