"""Stage ``interventions``: continue pieces while one thing is changed, and hear what changes."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from leitmotif.causal.candidates import (
    Candidate,
    Chosen,
    FeatureCandidates,
    by_site,
    site_candidate,
)
from leitmotif.causal.findings import judge
from leitmotif.causal.log import write_log
from leitmotif.causal.verdict import overall
from leitmotif.config import Params
from leitmotif.errors import StageError
from leitmotif.files import (
    atomic,
    atomic_folder,
    read_table,
    write_json,
    write_table,
    write_text,
)
from leitmotif.probe.intervals import Interval
from leitmotif.sae.used import load_used
from leitmotif.stages import (
    ACTIVATIONS,
    CANDIDATES,
    CLIPS,
    EFFECTS,
    INTERVENTIONS,
    METRICS,
    PLOTS,
    PROBES,
    SAE,
    VERDICTS,
    run,
)
from leitmotif.stages.rows import claimed_horizon, horizons_of
from leitmotif.stages.study import Study
from leitmotif.store.reader import ActivationStore
from leitmotif.tables.candidates import CandidateRow
from leitmotif.tables.effects import EffectRow, Verdict, VerdictRow, identity, whole_sites
from leitmotif.tables.interval import as_metric
from leitmotif.tables.interventions import InterventionRow
from leitmotif.tables.probes import ProbeRow


def interventions(params: Params) -> None:
    """Write the log, data/clips, data/effects.jsonl, data/verdicts.jsonl, metrics and plot."""
    probed = read_table(PROBES, ProbeRow)
    effects: list[EffectRow] = []
    verdicts: list[VerdictRow] = []
    rows: list[InterventionRow] = []
    # Log and clips are complete under temporary names before either takes its place.
    with atomic(INTERVENTIONS) as log, atomic_folder(CLIPS) as clips:
        for name in dict.fromkeys((params.model.name, *params.probes.comparisons)):
            study = Study(params, name)
            candidates = _sites(params, study)
            if name == params.model.name:
                candidates += _features(params, study)
            measures = study.run(candidates)
            judged = [
                judge(
                    one,
                    measures,
                    _decodable(params, one, Path(name).name, probed),
                    study.counterfactual,
                    study.thresholds,
                )
                for one in candidates
            ]
            effects += study.effects(measures, judged)
            verdicts += [
                one.row(model=Path(name).name, exploratory=params.probes.exploratory)
                for one in judged
            ]
            rows += study.log(clips)
        write_log(log, rows, clips=clips)
    write_table(EFFECTS, effects)
    write_table(VERDICTS, verdicts)
    write_json(METRICS / "interventions.json", metrics_of(effects, verdicts, rows))
    write_text(PLOTS / "interventions.csv", _plot(effects, verdicts).to_csv(index=False))


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
        ActivationStore(ACTIVATIONS),
        load_used(params.sae.hooks, dtype=params.model.dtype_beside),
        SAE,
        seed=settings.seed,
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
    params: Params, candidate: Candidate, model: str, probed: Sequence[ProbeRow]
) -> list[tuple[float, Interval]]:
    """What the probes said of a candidate: a site's partial R², or its features' effects."""
    if candidate.features:
        after = claimed_horizon(params.probes).after
        return [(after, Interval(*effect)) for effect in candidate.effects]
    of_model = [row for row in probed if row.model == model]
    if not of_model:
        raise StageError(
            f"{PROBES} has no row of {model}",
            found=f"rows of {', '.join(sorted({row.model for row in probed})) or 'nothing'}",
            fix="run `dvc repro probes`",
        )
    alpha = params.probes.alpha / len(of_model)
    return [
        (row.after, row.partial_r2.interval)
        for row in of_model
        if row.site == candidate.site and row.is_sure(alpha)
    ]


def metrics_of(
    effects: Sequence[EffectRow], verdicts: Sequence[VerdictRow], rows: Sequence[InterventionRow]
) -> dict[str, object]:
    """The models' verdicts, with the sites that carry the return and those that only tell of it."""
    models = list(dict.fromkeys(row.model for row in verdicts))
    strongest = {
        name: max(
            (row.effect for row in whole_sites(verdicts, name) if row.effect is not None),
            key=lambda effect: effect.mean,
            default=None,
        )
        for name in models
    }
    return {
        "verdicts": {
            name: overall([row.verdict for row in verdicts if row.model == name]) for name in models
        },
        "strongest": {name: as_metric(effect) for name, effect in strongest.items()},
        "carriers": _sites_that_are("foresight", verdicts),
        "decodable_but_inert": _sites_that_are("decodable, not causal", verdicts),
        "clips": len({row.clip_id for row in rows}),
        "excluded": len({row.clip_id for row in rows if row.excluded is not None}),
        "identity_changed": identity(effects)[1],
    }


def _sites_that_are(verdict: Verdict, rows: Sequence[VerdictRow]) -> dict[str, object]:
    """Effects of such sites, by model; models without one are left out."""
    found: dict[str, dict[str, object]] = {}
    for row in rows:
        if row.verdict == verdict and not row.features:
            found.setdefault(row.model, {})[row.site] = as_metric(row.effect)
    return dict(found)


def _plot(effects: Sequence[EffectRow], verdicts: Sequence[VerdictRow]) -> pd.DataFrame:
    """Effects towards the source, by model, candidate and condition."""
    of_candidate = {(row.model, row.candidate): row.verdict for row in verdicts}
    return pd.DataFrame(
        [
            {
                "model": row.model,
                "candidate": row.candidate,
                "condition": row.name,
                "effect": row.towards_source.mean,
                "low": row.towards_source.low,
                "high": row.towards_source.high,
                "clap_similarity": row.clap_similarity.mean,
                "verdict": of_candidate[row.model, row.candidate],
            }
            for row in effects
            if row.candidate and row.towards_source and row.clap_similarity
        ]
    )


if __name__ == "__main__":
    run(interventions)
