"""Stage ``probes``: what each model's features say of recurrences to come, beyond the controls."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from threadpoolctl import threadpool_limits

from leitmotif.config import Params, ProbesParams
from leitmotif.corpus.tables import ManifestTrack
from leitmotif.files import write_json, write_table, write_text
from leitmotif.musicgen.loading import load_model
from leitmotif.probe.blocks import Block, raw_block
from leitmotif.probe.encoded import EncodedRows, read_encoded
from leitmotif.probe.experiment import (
    Probing,
    naive,
    over_baseline,
    probe_sites,
    selectivities,
    worth_of_controls,
)
from leitmotif.probe.findings import beside, candidate_rows, counted, probe_rows
from leitmotif.probe.models import RANDOM_WEIGHTS, compared_models
from leitmotif.probe.panel import Array
from leitmotif.probe.past import Reading, check_past
from leitmotif.probe.ranking import Ranked, candidates
from leitmotif.probe.registry import load_controls
from leitmotif.probe.rows import Sample
from leitmotif.progress import progress
from leitmotif.sae.used import Used, load_used
from leitmotif.sites import split_site
from leitmotif.stages import (
    ACTIVATIONS,
    CANDIDATES,
    CONTROLS,
    CORPUS,
    HORIZONS,
    METRICS,
    PLOTS,
    PROBES,
    SAE,
    WORK_CACHE,
    run,
)
from leitmotif.stages.rows import claimed_horizon, gather_rows, horizons_of
from leitmotif.stages.tracks import readable_tracks
from leitmotif.store.codes import CachedCodec
from leitmotif.store.reader import ActivationStore
from leitmotif.tables.candidates import CandidateRow
from leitmotif.tables.interval import as_metric
from leitmotif.tables.probes import HorizonRow, LeftOutRow, ProbeRow, foresight, largest

LISTENED = 2
"""Tracks on which the leak check listens."""


# Thousands of small products: two threads that wait for each other take five times as long.
@threadpool_limits.wrap(limits=1, user_api="blas")
def probes(params: Params) -> None:
    """Write data/probes, horizons and candidates.jsonl, metrics/probes.json and the plots."""
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
        cache=WORK_CACHE,
        random_weights=settings.random_weights,
        seed=settings.seed,
    ) as stores:
        for other, read in progress([*stores.items()], "probes", total=len(stores)):
            theirs = {site: rows.features(read, site) for site in sites}
            fits[other] = probe_sites(theirs, samples, controls, how)
    if RANDOM_WEIGHTS in fits:
        for model in fits.keys() - {RANDOM_WEIGHTS}:
            over_baseline(fits[model], fits[RANDOM_WEIGHTS], seed=settings.seed)
    claimed = samples[horizons.index(claimed_horizon(settings))]
    found = beside(
        probe_rows(fits, horizons, exploratory=settings.exploratory),
        model=name,
        horizon=claimed.horizon.name,
        naive=naive(own, rows.targets[:, horizons.index(claimed.horizon)]),
        selectivity=selectivities(own, claimed, how),
    )
    best = largest(found, model=name, horizon=claimed.horizon.name).site
    encoded = {one.site: read_encoded(rows, SAE / one.hook.name) for one in used}
    # The nearest horizon is where the interventions take their local features from.
    tested = {
        sample.horizon.name: candidates(
            _blocks(own, encoded, sample, settings.least_active), sample, controls, how
        )
        for sample in (claimed, samples[0])
    }
    of_horizons = [
        HorizonRow(
            horizon=sample.horizon.name,
            after=sample.horizon.after,
            until=sample.horizon.until,
            claimed=sample is claimed,
            tracks=len(tracks),
            rows=len(sample.y),
            events=round(float((sample.y > 0).mean()), 4),
            heard_ahead=round(heard, 3),
            **_counts(tested.get(sample.horizon.name), settings.alpha),
            site=best,
            controls=worth_of_controls(own[best], sample, controls, how),
            constant_controls=rows.controls.constant,
        )
        for sample in samples
    ]
    write_table(PROBES, found)
    write_table(HORIZONS, of_horizons)
    write_table(CANDIDATES, _chosen(tested, settings))
    write_json(METRICS / "probes.json", metrics_of(found, of_horizons, settings))
    _plot(found, of_horizons, tested[claimed.horizon.name], settings)


def _counts(tested: Sequence[Ranked] | None, alpha: float) -> dict[str, int | None]:
    if tested is None:
        return {"tested": None, "chosen": None}
    return {"tested": len(tested), "chosen": sum(one.q <= alpha for one in tested)}


def _chosen(
    tested: Mapping[str, Sequence[Ranked]], settings: ProbesParams
) -> Iterator[CandidateRow]:
    for ranked in tested.values():
        kept = [one for one in ranked if one.q <= settings.alpha]
        yield from candidate_rows(kept[: settings.candidates], exploratory=settings.exploratory)


def metrics_of(
    rows: Sequence[ProbeRow], horizons: Sequence[HorizonRow], settings: ProbesParams
) -> dict[str, object]:
    """Whether each model foresees, and the most that can be read from it where claims are made."""
    models = list(dict.fromkeys(row.model for row in rows))
    (claimed,) = (row for row in horizons if row.claimed)
    where = {
        model: foresight(
            [row for row in rows if row.model == model],
            minimum_seconds=settings.minimum_seconds,
            alpha=settings.alpha,
        )
        for model in models
    }
    most = {model: largest(rows, model=model, horizon=claimed.horizon) for model in models}
    own = where[models[0]]
    return {
        "models": {
            model: {
                "foresight": where[model] is not None,
                "partial_r2": as_metric(most[model].partial_r2),
            }
            for model in models
        },
        "site": None if own is None else own.site,
        "candidates": {"tested": claimed.tested, "chosen": claimed.chosen},
    }


def _check_past(
    params: Params, used: Sequence[Used], tracks: Sequence[ManifestTrack], store: ActivationStore
) -> float:
    """Refuse features that have heard the future; see ``leitmotif.probe.past``."""
    model = load_model(params.model)
    reading = Reading(
        model,
        params.activations.sites,
        params.activations.dtype,
        {one.hook.name: (one.site, one.sae) for one in used},
        CachedCodec(model, WORK_CACHE),
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


def _plot(
    rows: Sequence[ProbeRow],
    horizons: Sequence[HorizonRow],
    tested: Sequence[Ranked],
    settings: ProbesParams,
) -> None:
    labels = {"labels": "exploratory" if settings.exploratory else "verified"}
    _write(
        "probes",
        [
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
        ],
    )
    _write(
        "controls",
        [
            {"horizon": row.horizon, "left_out": one.left_out, **labels, **_worth(one)}
            for row in horizons
            for one in row.controls
        ],
    )
    _write("candidates", [{**line, **labels} for line in counted(tested, alpha=settings.alpha)])


def _worth(one: LeftOutRow) -> dict[str, float]:
    return {"r2_controls": one.r2_controls, "partial_r2": one.partial_r2}


def _write(name: str, lines: list[dict[str, object]]) -> None:
    write_text(PLOTS / f"{name}.csv", pd.DataFrame(lines).to_csv(index=False))


if __name__ == "__main__":
    run(probes)
