"""Stage ``summary``: four ways to look for foresight, by the same code with one setting changed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from leitmotif.causal.approaches import APPROACHES, Approach, Found, Source, screen
from leitmotif.causal.candidates import Candidate, FeatureCandidates
from leitmotif.causal.findings import (
    MOST,
    Finding,
    Measures,
    effect_metric,
    interval_by_track,
    judge,
    largest_p,
)
from leitmotif.causal.search import Search
from leitmotif.causal.verdict import Thresholds, verdict
from leitmotif.config import Params
from leitmotif.files import read_json, write_json, write_text
from leitmotif.probe.experiment import Probing
from leitmotif.probe.registry import load_controls
from leitmotif.progress import progress
from leitmotif.sae.encode import encode_site
from leitmotif.sae.used import Used, load_used
from leitmotif.stages import ACTIVATIONS, CONTROLS, METRICS, PLOTS, SAE, run
from leitmotif.stages.rows import claimed_horizon, gather_rows, horizons_of
from leitmotif.stages.study import Study
from leitmotif.stages.tracks import readable_tracks
from leitmotif.store.reader import ActivationStore

BySite = Mapping[str, Candidate]
"""What an approach takes at each site, its own choice first."""


def summary(params: Params) -> None:
    """Write metrics/summary.json and plots/summary.csv."""
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
        _empty(approach)
        if one is None
        else _row(one, _judged(one, tried[approach], measures, study), study.thresholds)
        for approach, one in found.items()
    ]
    calibration = read_json(METRICS / "calibration.json")
    write_json(
        METRICS / "summary.json",
        {
            "exploratory": params.probes.exploratory,
            "model": params.model.name,
            "horizon": claimed_horizon(params.probes).name,
            "approaches": rows,
            "table": _by_name(rows),
            "fpr_naive": calibration["fpr_naive"],
            "fpr_controlled": calibration["fpr_controlled"],
            "verdicts": read_json(METRICS / "interventions.json")["verdicts"],
        },
    )
    write_text(PLOTS / "summary.csv", _table(rows).to_csv(index=False))


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
        for approach in (APPROACHES[name] for name in params.summary.approaches)
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


def _row(found: Found, judged: Mapping[str, Finding], thresholds: Thresholds) -> dict[str, Any]:
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
    at, likeness = found.sites[site], judged[site].metric["clap_similarity"]
    return {
        "name": found.approach.name,
        "site": site,
        "hook": at.chosen[0].hook,
        "features": [one.feature for one in at.chosen],
        "r2": _rounded(at.r2),
        "partial_r2": None if at.partial_r2 is None else at.partial_r2.as_metric(4),
        "clap": likeness["mean"],
        "clap_similarity": likeness,
        "delta_recurrence": effect_metric(towards, limits=MOST),
        "over_random": effect_metric(over, limits=MOST),
        "verdict": verdict(evidence, thresholds),
        "screened": {
            "site": screened.site,
            "delta_recurrence": effect_metric(screened.towards, limits=MOST),
        },
        "by_site": {
            one: {
                "features": len(found.sites[one].chosen),
                "r2": _rounded(found.sites[one].r2),
                "delta_recurrence": judged[one].metric["effect"],
            }
            for one in sorted(judged)
        },
    }


def _by_name(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The columns of the table by approach: of a list, `dvc metrics diff` shows nothing."""
    columns = ("r2", "clap", "delta_recurrence", "verdict")
    return {row["name"]: {column: row[column] for column in columns} for row in rows}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _empty(approach: Approach) -> dict[str, Any]:
    """Of an approach that finds nothing."""
    nothing = ("site", "hook", "r2", "partial_r2", "clap", "clap_similarity", "delta_recurrence")
    return {
        "name": approach.name,
        "features": [],
        **dict.fromkeys((*nothing, "over_random")),
        "verdict": "none",
        "screened": None,
        "by_site": {},
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "approach": row["name"],
                "effect": row["delta_recurrence"]["mean"],
                "low": row["delta_recurrence"]["low"],
                "high": row["delta_recurrence"]["high"],
                "r2": row["r2"],
                "clap_similarity": row["clap"],
                "verdict": row["verdict"],
            }
            for row in rows
            if row["delta_recurrence"] is not None
        ]
    )


if __name__ == "__main__":
    run(summary)
