"""Stage ``probes``: what each model's features say of recurrences to come, beyond the controls."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from threadpoolctl import threadpool_limits

from leitmotif.config import Params
from leitmotif.corpus.tables import ManifestTrack
from leitmotif.files import write_json, write_table, write_text
from leitmotif.musicgen import HookedMusicGen
from leitmotif.probe.blocks import Block, raw_block
from leitmotif.probe.candidates import CandidateRow
from leitmotif.probe.encoded import EncodedRows, read_encoded
from leitmotif.probe.experiment import (
    Candidate,
    Probing,
    candidates,
    naive,
    over_baseline,
    probe_sites,
    selectivities,
    worth_of_controls,
)
from leitmotif.probe.models import RANDOM_WEIGHTS, compared_models
from leitmotif.probe.panel import Array
from leitmotif.probe.past import Reading, check_past
from leitmotif.probe.registry import load_controls
from leitmotif.probe.rows import Sample
from leitmotif.probe.targets import Horizon
from leitmotif.progress import progress
from leitmotif.sae.used import Used, load_used
from leitmotif.sites import split_site
from leitmotif.stages import (
    ACTIVATIONS,
    CANDIDATES,
    CONTROLS,
    CORPUS,
    METRICS,
    PLOTS,
    SAE,
    WORK_CACHE,
    run,
)
from leitmotif.stages.rows import claimed_horizon, gather_rows, horizons_of
from leitmotif.stages.tracks import readable_tracks
from leitmotif.store.reader import ActivationStore

LISTENED = 2
"""Tracks on which the leak check listens."""
Sites = Mapping[str, Mapping[str, Mapping[str, object]]]


# Thousands of small products: two threads that wait for each other take five times as long.
@threadpool_limits.wrap(limits=1, user_api="blas")
def probes(params: Params) -> None:
    """Write metrics/probes.json, data/candidates.jsonl and the plots."""
    settings = params.probes
    tracks = readable_tracks()
    controls = load_controls(CONTROLS)
    horizons = horizons_of(settings)
    rows = gather_rows(settings, tracks, controls)
    chosen_tracks = set(rows.groups.tolist())
    tracks = [track for track in tracks if track.track_id in chosen_tracks]
    how = Probing(
        **settings.model_dump(include={"folds", "permutations", "shifts", "alpha", "seeds", "seed"})
    )
    samples = [rows.sample(horizons, number) for number in range(len(horizons))]
    sites = params.activations.sites
    store = ActivationStore(ACTIVATIONS)
    used = load_used(params.sae.hooks, dtype=params.model.dtype_beside)
    heard = _check_past(params, used, tracks, store)
    name = Path(params.model.name).name
    own = {site: rows.features(store, site) for site in sites}
    fits = {name: probe_sites(own, samples, controls, how)}
    with compared_models(
        settings.comparisons,
        model=params.model,
        activations=params.activations,
        tracks=tracks,
        audio_root=CORPUS,
        cache=WORK_CACHE / "activations",
        random_weights=settings.random_weights,
        seed=settings.seed,
    ) as stores:
        for other, read in progress([*stores.items()], "probes", total=len(stores)):
            theirs = {site: rows.features(read, site) for site in sites}
            fits[other] = probe_sites(theirs, samples, controls, how)
    if RANDOM_WEIGHTS in fits:
        for model in fits.keys() - {RANDOM_WEIGHTS}:
            over_baseline(fits[model], fits[RANDOM_WEIGHTS], seed=settings.seed)
    found: dict[str, Sites] = {
        model: {
            site: {horizon: fit.metric for horizon, fit in by_horizon.items()}
            for site, by_horizon in sites_of_model.items()
        }
        for model, sites_of_model in fits.items()
    }
    far = [horizon for horizon in horizons if horizon.after >= settings.minimum_seconds]
    claimed = samples[horizons.index(claimed_horizon(settings))]
    best = max(sites, key=lambda site: _mean(found[name][site][claimed.horizon.name]["partial_r2"]))
    worth = {
        sample.horizon.name: worth_of_controls(own[best], sample, controls, how)
        for sample in samples
    }
    encoded = {one.site: read_encoded(rows, SAE / one.hook.name) for one in used}
    # The nearest horizon is where the interventions take their local features from.
    tested = {
        sample.horizon.name: candidates(
            _blocks(own, encoded, sample, settings.least_active), sample, controls, how
        )
        for sample in (claimed, samples[0])
    }
    kept = {
        horizon: [one for one in ranked if one.q <= settings.alpha]
        for horizon, ranked in tested.items()
    }
    write_table(
        CANDIDATES,
        [
            row
            for ranked in kept.values()
            for row in _rows_of(ranked[: settings.candidates], exploratory=settings.exploratory)
        ],
    )
    write_json(
        METRICS / "probes.json",
        {
            "exploratory": settings.exploratory,
            "misaligned": sorted({one.misaligned for one in tested[claimed.horizon.name]} - {""}),
            "tracks": len(tracks),
            "rows": {sample.horizon.name: len(sample.y) for sample in samples},
            "events": {
                sample.horizon.name: round(float((sample.y > 0).mean()), 4) for sample in samples
            },
            "minimum_seconds": settings.minimum_seconds,
            "seconds_heard_ahead": round(heard, 3),
            "models": found,
            "foresight": {
                model: foresight(of_model, far, settings.alpha) for model, of_model in found.items()
            },
            "naive": {
                "horizon": claimed.horizon.name,
                "sites": naive(own, rows.targets[:, horizons.index(claimed.horizon)]),
            },
            "selectivity": {
                "horizon": claimed.horizon.name,
                "sites": selectivities(own, claimed, how),
            },
            "controls": {"site": best, "left_out": worth, "constant": rows.controls.constant},
            "candidates": {
                horizon: {"tested": len(tested[horizon]), "chosen": len(kept[horizon])}
                for horizon in tested
            },
        },
    )
    _plot(found, worth, tested[claimed.horizon.name], exploratory=settings.exploratory)


def _check_past(
    params: Params, used: Sequence[Used], tracks: Sequence[ManifestTrack], store: ActivationStore
) -> float:
    """Refuse features that have heard the future; see ``leitmotif.probe.past``."""
    model = HookedMusicGen.from_pretrained(
        params.model.name,
        revision=params.model.revision,
        device=params.model.device,
        dtype=params.model.dtype,
        text_padding=params.model.text_padding,
    )
    reading = Reading(
        model,
        params.activations.sites,
        params.activations.dtype,
        {one.hook.name: (one.site, one.sae) for one in used},
    )
    return check_past(reading, tracks[:LISTENED], store, audio_root=CORPUS, encoded=SAE)


def _blocks(
    own: Mapping[str, Array],
    encoded: Mapping[str, EncodedRows],
    sample: Sample,
    least_active: float,
) -> Iterator[Block]:
    """An autoencoder's features at each site that has one, the residual's coordinates elsewhere."""
    shown = f"features at {sample.horizon.name}"
    for site, features in progress([*own.items()], shown, total=len(own)):
        if site in encoded:
            yield from encoded[site].blocks(sample.inside, least_active=least_active)
        else:
            yield raw_block(site, features)


def foresight(sites: Sites, horizons: Sequence[Horizon], alpha: float) -> dict[str, object]:
    """Whether a model foresees at horizons of which a claim is made, and where it shows most.

    Asked for are a partial R² whose interval is clear of zero, a p-value below ``alpha`` after
    Bonferroni's correction over sites and horizons, and more than what the same network says that
    has learnt nothing: its states are sums over all that it has read, a trace of the past which no
    control describes completely and which is no foresight.
    """
    cells = [(site, h.name, sites[site][h.name]) for site in sites for h in horizons]
    sure = [
        (site, name, cell)
        for site, name, cell in cells
        if _number(cell["p"]) * len(cells) <= alpha
        and _low(cell["partial_r2"]) > 0
        and ("over_random_weights" not in cell or _low(cell["over_random_weights"]) > 0)
    ]
    if not sure:
        return {"found": False, "site": None, "horizon": None}
    site, name, _ = max(sure, key=lambda one: _mean(one[2]["partial_r2"]))
    return {"found": True, "site": site, "horizon": name}


def _mean(interval: object) -> float:
    assert isinstance(interval, dict)
    return _number(interval["mean"])


def _low(interval: object) -> float:
    assert isinstance(interval, dict)
    return _number(interval["low"])


def _number(value: object) -> float:
    assert isinstance(value, float | int)
    return float(value)


def _rows_of(chosen: Sequence[Candidate], *, exploratory: bool) -> list[CandidateRow]:
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


def _plot(
    found: Mapping[str, Sites],
    worth: Mapping[str, Mapping[str, Mapping[str, float]]],
    chosen: Sequence[Candidate],
    *,
    exploratory: bool,
) -> None:
    labels = "exploratory" if exploratory else "verified"
    lines = [
        {
            "model": model,
            "layer": split_site(site)[0],
            "horizon": horizon,
            "labels": labels,
            **dict(zip(("partial_r2", "low", "high"), cell["partial_r2"].values(), strict=True)),
        }
        for model, sites in found.items()
        for site, cells in sites.items()
        for horizon, cell in cells.items()
        if isinstance(cell["partial_r2"], dict)
    ]
    _write("probes", lines)
    _write(
        "controls",
        [
            {"horizon": horizon, "left_out": left_out, "labels": labels, **values}
            for horizon, by_control in worth.items()
            for left_out, values in by_control.items()
        ],
    )
    _write(
        "candidates",
        [
            {
                "site": one.site,
                "feature": one.feature,
                "labels": labels,
                "effect": round(one.effect, 4),
                "p": float(f"{one.p:.3g}"),
                "q": float(f"{one.q:.3g}"),
            }
            for one in sorted(chosen, key=lambda one: (one.site, one.feature))
        ],
    )


def _write(name: str, lines: list[dict[str, object]]) -> None:
    write_text(PLOTS / f"{name}.csv", pd.DataFrame(lines).to_csv(index=False))


if __name__ == "__main__":
    run(probes)
