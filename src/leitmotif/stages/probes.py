"""Stage ``probes``: what each model's features say of recurrences to come, beyond the controls."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from leitmotif.config import Params, ProbesParams
from leitmotif.corpus.tables import Failure, ManifestTrack, Table
from leitmotif.files import read_table, write_json, write_table, write_text
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
from leitmotif.probe.registry import ControlSettings, load_controls
from leitmotif.probe.rows import Rows, gather, read_sounds
from leitmotif.probe.targets import Horizon
from leitmotif.progress import progress
from leitmotif.review.labels import Coverage, Label
from leitmotif.sites import split_site
from leitmotif.stages import (
    ACTIVATIONS,
    CANDIDATES,
    CONTROLS,
    CORPUS,
    COVERAGE,
    FAILURES,
    FEATURES,
    LABELS,
    MANIFEST,
    METRICS,
    PLOTS,
    WORK_CACHE,
    run,
)
from leitmotif.store.reader import ActivationStore

Sites = Mapping[str, Mapping[str, Mapping[str, object]]]


class CandidateRow(Table):
    """A row of data/candidates.jsonl: a feature that may foresee, the surest first."""

    rank: int
    site: str
    feature: int
    horizon: str
    effect: float
    """Partial correlation with the target, the controls removed from both."""
    low: float
    high: float
    p: float
    q: float
    p_shift: float
    stability: float


def probes(params: Params) -> None:
    """Write metrics/probes.json, data/candidates.jsonl and the plots."""
    settings = params.probes
    tracks = readable_tracks()
    controls = load_controls(CONTROLS)
    horizons = horizons_of(settings)
    rows = gather_rows(settings, tracks, controls)
    how = Probing(
        **settings.model_dump(include={"folds", "permutations", "shifts", "alpha", "seeds", "seed"})
    )
    samples = [rows.sample(horizons, number) for number in range(len(horizons))]
    sites = params.activations.sites
    store = ActivationStore(ACTIVATIONS)
    name = Path(params.model.name).name
    own = {site: rows.features(store, site) for site in sites}
    fits = {name: probe_sites(own, samples, controls, how)}
    with compared_models(
        settings.comparisons,
        model=params.model,
        activations=params.activations,
        tracks=[track for track in tracks if track.track_id in set(rows.groups.tolist())],
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
    chosen = candidates(own, claimed, controls, how)
    kept = [one for one in chosen if one.q <= settings.alpha]
    write_table(CANDIDATES, _rows_of(kept[: settings.candidates]))
    write_json(
        METRICS / "probes.json",
        {
            "exploratory": settings.exploratory,
            "tracks": len(set(rows.groups.tolist())),
            "rows": {sample.horizon.name: len(sample.y) for sample in samples},
            "events": {
                sample.horizon.name: round(float((sample.y > 0).mean()), 4) for sample in samples
            },
            "minimum_seconds": settings.minimum_seconds,
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
                "horizon": claimed.horizon.name,
                "tested": len(chosen),
                "chosen": len(kept),
            },
        },
    )
    _plot(found, worth, chosen)


def readable_tracks() -> list[ManifestTrack]:
    """Tracks of the manifest that the earlier stages could use."""
    failed = {failure.track_id for failure in read_table(FAILURES, Failure)}
    return [row for row in read_table(MANIFEST, ManifestTrack) if row.track_id not in failed]


def horizons_of(settings: ProbesParams) -> list[Horizon]:
    """The horizons, the nearest first."""
    return [
        Horizon(f"{after:g}-{until:g}s", after, until) for after, until in sorted(settings.horizons)
    ]


def claimed_horizon(settings: ProbesParams) -> Horizon:
    """The nearest horizon of which a claim is made; where there is none, the furthest."""
    horizons = horizons_of(settings)
    far = [horizon for horizon in horizons if horizon.after >= settings.minimum_seconds]
    return far[0] if far else horizons[-1]


def gather_rows(
    settings: ProbesParams, tracks: Sequence[ManifestTrack], controls: ControlSettings
) -> Rows:
    """The rows of this folder's experiment."""
    return gather(
        tracks,
        read_sounds(FEATURES, tracks),
        read_table(LABELS, Label),
        read_table(COVERAGE, Coverage),
        horizons=horizons_of(settings),
        settings=controls,
        start_seconds=settings.start_seconds,
        stride=settings.stride,
        exploratory=settings.exploratory,
    )


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


def _rows_of(chosen: Sequence[Candidate]) -> list[CandidateRow]:
    return [
        CandidateRow(
            rank=rank,
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
) -> None:
    lines = [
        {
            "model": model,
            "layer": split_site(site)[0],
            "horizon": horizon,
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
            {"horizon": horizon, "left_out": left_out, **values}
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
