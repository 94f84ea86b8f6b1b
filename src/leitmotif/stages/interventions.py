"""Stage ``interventions``: continue pieces while one thing is changed, and hear what changes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from leitmotif.causal.candidates import (
    Candidate,
    Chosen,
    FeatureCandidates,
    by_site,
    site_candidate,
)
from leitmotif.causal.findings import Finding, Measures, judge
from leitmotif.causal.log import InterventionRow, write_log
from leitmotif.causal.verdict import overall
from leitmotif.config import Params
from leitmotif.files import atomic, atomic_folder, read_json, read_table, write_json, write_text
from leitmotif.judge import Clap
from leitmotif.tables.candidates import CandidateRow
from leitmotif.probe.intervals import Interval
from leitmotif.sae.used import load_used
from leitmotif.stages import (
    ACTIVATIONS,
    CANDIDATES,
    CLIPS,
    INTERVENTIONS,
    METRICS,
    PLOTS,
    SAE,
    run,
)
from leitmotif.stages.rows import claimed_horizon, horizons_of
from leitmotif.stages.study import Study
from leitmotif.store.reader import ActivationStore

Probed = Mapping[str, Mapping[str, Any]]
"""Site -> horizon -> what metrics/probes.json says."""


def interventions(params: Params) -> None:
    """Write data/interventions.jsonl, data/clips, metrics/interventions.json and the plot."""
    clap = Clap.from_pretrained(
        params.judge.clap, revision=params.judge.clap_revision, device=params.judge.device
    )
    probed = read_json(METRICS / "probes.json")["models"]
    found: dict[str, dict[str, Any]] = {}
    rows: list[InterventionRow] = []
    # Log and clips are complete under temporary names before either takes its place.
    with atomic(INTERVENTIONS) as log, atomic_folder(CLIPS) as clips:
        for name in dict.fromkeys((params.model.name, *params.probes.comparisons)):
            study = Study(params, name, clap)
            candidates = _sites(params, study)
            if name == params.model.name:
                candidates += _features(params, study)
            measures = study.run(candidates)
            of_model = probed[Path(name).name]
            judged = [
                judge(
                    one,
                    measures,
                    _decodable(params, one, of_model),
                    study.counterfactual,
                    study.thresholds,
                )
                for one in candidates
            ]
            found[Path(name).name] = _metric(study, measures, judged)
            rows += study.log(clips)
        write_log(log, rows, clips=clips)
    write_json(
        METRICS / "interventions.json",
        {
            "exploratory": params.probes.exploratory,
            "tracks": params.interventions.tracks,
            "seeds": params.interventions.seeds,
            "clips": len({row.clip_id for row in rows}),
            "verdicts": {name: one["verdict"] for name, one in found.items()},
            "models": found,
        },
    )
    write_text(PLOTS / "interventions.csv", _plot(found).to_csv(index=False))


def _sites(params: Params, study: Study) -> list[Candidate]:
    return [
        site_candidate(site, study.model.width, study.pieces, identity=True)
        for site in params.activations.sites
    ]


def _features(params: Params, study: Study) -> list[Candidate]:
    """The probes' surest features one by one, and those of one site together."""
    settings, rows = study.settings, read_table(CANDIDATES, CandidateRow)
    near = horizons_of(params.probes)[0].name
    far = claimed_horizon(params.probes).name
    chosen = [_chosen(row) for row in rows if row.horizon == far]
    known = {(one.site, one.feature) for one in chosen}
    others = [
        _chosen(row)
        for row in rows
        if row.horizon == near != far and (row.site, row.feature) not in known
    ]
    makes = FeatureCandidates(
        ActivationStore(ACTIVATIONS), load_used(params.sae.hooks), SAE, seed=settings.seed
    )
    groups = [[one] for one in chosen[: settings.candidates]]
    if settings.together and chosen:
        groups.append(by_site(chosen)[: settings.together])
    return [
        makes.candidate(
            group,
            study.pieces,
            doses=settings.doses,
            random=settings.random,
            avoid=[feature for site, feature in known if site == group[0].site],
            local=others[0] if others else None,
        )
        for group in groups
    ]


def _chosen(row: CandidateRow) -> Chosen:
    return Chosen(row.site, row.hook, row.feature, (row.effect, row.low, row.high))


def _decodable(
    params: Params, candidate: Candidate, probed: Probed
) -> list[tuple[float, Interval]]:
    """What the probes said of a candidate: a site's partial R², or its features' effects."""
    if candidate.features:
        after = claimed_horizon(params.probes).after
        return [(after, Interval(*effect)) for effect in candidate.effects]
    horizons = {horizon.name: horizon.after for horizon in horizons_of(params.probes)}
    cells = probed[candidate.site]
    alpha = params.probes.alpha / (len(cells) * len(probed))
    return [
        (horizons[name], Interval(**cell["partial_r2"]))
        for name, cell in cells.items()
        if _sure(cell, alpha)
    ]


def _sure(cell: Mapping[str, Any], alpha: float) -> bool:
    """Whether a site's probe is significant, clear of zero, and beyond random weights."""
    over = cell.get("over_random_weights")
    return bool(
        cell["p"] <= alpha and cell["partial_r2"]["low"] > 0 and (over is None or over["low"] > 0)
    )


def _metric(study: Study, measures: Measures, judged: Sequence[Finding]) -> dict[str, Any]:
    sites = [one for one in judged if not one.candidate.features]
    other = study.counterfactual
    return {
        "verdict": overall([one.verdict for one in judged]),
        "carriers": [one.candidate.site for one in sites if one.verdict == "foresight"],
        "decodable_but_inert": [
            one.candidate.site for one in sites if one.verdict == "decodable, not causal"
        ],
        "identity": measures.identity(),
        "baseline": measures.metric(study.baseline),
        "counterfactual": None if other is None else measures.metric(other),
        "candidates": {one.candidate.name: one.metric for one in judged},
    }


def _plot(studies: Mapping[str, Any]) -> pd.DataFrame:
    """Effects towards the source, by model, candidate and condition."""
    rows = [
        {
            "model": model,
            "candidate": name,
            "condition": condition,
            "effect": values["towards_source"]["mean"],
            "low": values["towards_source"]["low"],
            "high": values["towards_source"]["high"],
            "clap_similarity": values["clap_similarity"]["mean"],
            "verdict": candidate["verdict"],
        }
        for model, study in studies.items()
        for name, candidate in study["candidates"].items()
        for condition, values in candidate["conditions"].items()
        if values["towards_source"] is not None and values["clap_similarity"] is not None
    ]
    return pd.DataFrame(rows)


if __name__ == "__main__":
    run(interventions)
