"""Stage ``summary``: four ways to look for foresight, by the same code with one setting changed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from leitmotif.causal import approaches
from leitmotif.causal.approaches import Approach, Found, Source, screen
from leitmotif.causal.candidates import Candidate, FeatureCandidates
from leitmotif.causal.findings import (
    MOST,
    Finding,
    Measures,
    effect_row,
    interval_by_track,
    judge,
    largest_p,
)
from leitmotif.causal.search import Search
from leitmotif.causal.verdict import verdict
from leitmotif.config import Params
from leitmotif.files import write_json, write_table, write_text
from leitmotif.probe.experiment import Probing
from leitmotif.probe.registry import load_controls
from leitmotif.progress import progress
from leitmotif.sae.encode import encode_site
from leitmotif.sae.used import Used, load_used
from leitmotif.stages import ACTIVATIONS, APPROACHES, CONTROLS, METRICS, PLOTS, SAE, run
from leitmotif.stages.rows import claimed_horizon, gather_rows, horizons_of
from leitmotif.stages.study import Study
from leitmotif.stages.tracks import readable_tracks
from leitmotif.store.reader import ActivationStore
from leitmotif.tables.approaches import ApproachRow, AtSiteRow, ScreenedRow
from leitmotif.tables.interval import IntervalRow, as_metric

BySite = Mapping[str, Candidate]
"""What an approach takes at each site, its own choice first."""


def summary(params: Params) -> None:
    """Write data/approaches.jsonl, metrics/summary.json and plots/summary.csv."""
    store = ActivationStore(ACTIVATIONS)
    with TemporaryDirectory(prefix="leitmotif-") as folder:
        found = _searched(params, store, Path(folder))
        study = Study(params, params.model.name)
        tried = {
            approach: _candidates(one, study, store)
            for approach, one in found.items()
            if one is not None
        }
        measures = study.run([one for sites in tried.values() for one in sites.values()])
    rows = [
        _empty(approach, params)
        if one is None
        else _row(one, _judged(one, tried[approach], measures, study), study)
        for approach, one in found.items()
    ]
    write_table(APPROACHES, rows)
    write_json(METRICS / "summary.json", metrics_of(rows))
    write_text(PLOTS / "summary.csv", _plot(rows).to_csv(index=False))


@threadpool_limits.wrap(limits=1, user_api="blas")
def _searched(params: Params, store: ActivationStore, folder: Path) -> dict[Approach, Found | None]:
    """What each approach finds; ``folder`` takes what misaligned autoencoders encode."""
    probes, controls = params.probes, load_controls(CONTROLS)
    horizons = horizons_of(probes)
    search = Search(
        rows=gather_rows(probes, readable_tracks(), controls),
        horizons=horizons,
        claimed=horizons.index(claimed_horizon(probes)),
        controls=controls,
        store=store,
        sites=params.activations.sites,
        how=Probing(
            folds=probes.folds,
            permutations=0,
            shifts=0,
            alpha=probes.alpha,
            seeds=1,
            seed=probes.seed,
        ),
        least_active=probes.least_active,
        surest=probes.candidates,
        together=max(1, params.interventions.together),
    )
    used = load_used(params.sae.hooks, dtype=params.model.dtype_beside)
    aligned, misaligned = Source(SAE, used), _misaligned(used, store, folder)
    compared = [
        approach
        for approach in (approaches.APPROACHES[name] for name in params.summary.approaches)
        if misaligned.used or not approach.misaligned
    ]
    return {
        approach: search(approach, misaligned if approach.misaligned else aligned)
        for approach in progress(compared, "approaches", total=len(compared))
    }


def _misaligned(used: Sequence[Used], store: ActivationStore, out: Path) -> Source:
    """Each autoencoder with the next cached site, encoded below ``out``; the last has none."""
    pairs = [
        Used(one.hook, one.sae, following.site, one.trained) for one, following in pairwise(used)
    ]
    for one in pairs:
        encode_site(one.sae, one.hook, store, out, site=one.site, allow_misaligned=True)
    return Source(out, pairs)


def _candidates(found: Found, study: Study, store: ActivationStore) -> BySite:
    """The features of each site, under the one condition that is judged.

    Beside those that may become the approach's choice, random ones; the others show what the
    approach would have found, had it looked there.
    """
    makes = FeatureCandidates(
        store, found.source.used, found.source.encoded, seed=study.settings.seed
    )
    kept = ("patch" if study.pieces.known else "ablate", "random_feature")
    candidates = {}
    for site, at in found.sites.items():
        eligible = found.approach.screened or site == found.site
        one = makes.candidate(
            at.chosen, study.pieces, doses=[], random=study.settings.random if eligible else 0
        )
        candidates[site] = replace(one, conditions=[c for c in one.conditions if c.kind in kept])
    return candidates


def _judged(found: Found, tried: BySite, measures: Measures, study: Study) -> dict[str, Finding]:
    """What became of each site's features."""
    after = claimed_horizon(study.params.probes).after
    judged = {}
    for site, candidate in tried.items():
        partial = found.sites[site].partial_r2
        decodable = [(after, partial)] if partial is not None and partial.low > 0 else []
        judged[site] = judge(candidate, measures, decodable, study.counterfactual, study.thresholds)
    return judged


def _row(found: Found, judged: Mapping[str, Finding], study: Study) -> ApproachRow:
    screened = screen(judged)
    if found.approach.screened:
        site, towards, over = screened.site, screened.towards, screened.over_random
    else:
        site = found.site
        towards, over = judged[site].towards, judged[site].over_random
    evidence = replace(
        judged[site].evidence,
        gap=interval_by_track(towards, MOST),
        over_random=interval_by_track(over, MOST),
        p=largest_p(towards, over),
    )
    at = found.sites[site]
    return ApproachRow(
        **_named(found.approach, study.params),
        site=site,
        hook=at.chosen[0].hook,
        features=[one.feature for one in at.chosen],
        r2=_rounded(at.r2),
        partial_r2=None if at.partial_r2 is None else IntervalRow.of(at.partial_r2, 4),
        clap_similarity=judged[site].clap_similarity,
        delta_recurrence=effect_row(towards, limits=MOST),
        over_random=effect_row(over, limits=MOST),
        verdict=verdict(evidence, study.thresholds),
        screened=ScreenedRow(
            site=screened.site, delta_recurrence=effect_row(screened.towards, limits=MOST)
        ),
        by_site=[
            AtSiteRow(
                site=one,
                features=len(found.sites[one].chosen),
                r2=_rounded(found.sites[one].r2),
                delta_recurrence=judged[one].effect,
            )
            for one in sorted(judged)
        ],
    )


def _empty(approach: Approach, params: Params) -> ApproachRow:
    """Of an approach that finds nothing."""
    nothing = ("site", "hook", "r2", "partial_r2", "clap_similarity", "delta_recurrence")
    return ApproachRow(
        **_named(approach, params),
        **dict.fromkeys((*nothing, "over_random", "screened")),
        features=[],
        verdict="none",
        by_site=[],
    )


def _named(approach: Approach, params: Params) -> dict[str, Any]:
    """What a row says of the experiment."""
    return {
        "name": approach.name,
        "model": params.model.name,
        "horizon": claimed_horizon(params.probes).name,
        "exploratory": params.probes.exploratory,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def metrics_of(rows: Sequence[ApproachRow]) -> dict[str, object]:
    """The columns of the table, by approach."""
    return {
        "approaches": {
            row.name: {
                "r2": row.r2,
                "clap": as_metric(row.clap_similarity),
                "delta_recurrence": as_metric(row.delta_recurrence),
                "screened": as_metric(row.screened.delta_recurrence) if row.screened else None,
                "verdict": row.verdict,
            }
            for row in rows
        }
    }


def _plot(rows: Sequence[ApproachRow]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "approach": row.name,
                "effect": row.delta_recurrence.mean,
                "low": row.delta_recurrence.low,
                "high": row.delta_recurrence.high,
                "r2": row.r2,
                "clap_similarity": row.clap_similarity.mean if row.clap_similarity else None,
                "verdict": row.verdict,
            }
            for row in rows
            if row.delta_recurrence
        ]
    )


if __name__ == "__main__":
    run(summary)
