"""Stage ``summary``: four ways to look for foresight, by the same code with one setting changed."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from leitmotif.causal import approaches
from leitmotif.causal.approaches import Approach, Found, Source
from leitmotif.causal.candidates import FeatureCandidates
from leitmotif.causal.comparison import Comparison, Judging
from leitmotif.causal.search import Search
from leitmotif.config import Params
from leitmotif.files import write_json, write_table, write_text
from leitmotif.probe.experiment import Probing
from leitmotif.probe.registry import load_controls
from leitmotif.progress import progress
from leitmotif.sae.encode import encode_each
from leitmotif.sae.used import Used, load_used
from leitmotif.stages import ACTIVATIONS, APPROACHES, CONTROLS, METRICS, PLOTS, SAE, run
from leitmotif.stages.rows import claimed_horizon, gather_rows, horizons_of
from leitmotif.stages.study import Study
from leitmotif.stages.tracks import readable_tracks
from leitmotif.store.reader import ActivationStore
from leitmotif.tables.approaches import ApproachRow
from leitmotif.tables.interval import as_metric


def summary(params: Params) -> None:
    """Write data/approaches.jsonl, metrics/summary.json and plots/summary.csv."""
    store = ActivationStore(ACTIVATIONS)
    with TemporaryDirectory(prefix="leitmotif-") as folder:
        found = _searched(params, store, Path(folder))
        study = Study(params, params.model.name)
        compared = {
            approach: _compared(one, study, store)
            for approach, one in found.items()
            if one is not None
        }
        measures = study.run([c for one in compared.values() for c in one.candidates])
    after = claimed_horizon(params.probes).after
    judging = Judging(measures, study.counterfactual, study.thresholds, after)
    rows = [
        compared[approach].row(judging, _named(approach, params))
        if approach in compared
        else _empty(approach, params)
        for approach in found
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
    list(encode_each(pairs, store, out, allow_misaligned=True))
    return Source(out, pairs)


def _compared(found: Found, study: Study, store: ActivationStore) -> Comparison:
    makes = FeatureCandidates(
        store, found.source.used, found.source.encoded, seed=study.settings.seed
    )
    return Comparison(found, makes, study.pieces, random=study.settings.random)


def _empty(approach: Approach, params: Params) -> ApproachRow:
    """Of an approach that finds nothing."""
    nothing = ("site", "hook", "r2", "partial_r2", "clap_similarity", "delta_recurrence")
    return ApproachRow(
        **_named(approach, params),
        **dict.fromkeys((*nothing, "over_random", "screened", "lead", "otherwise")),
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
                "stable": row.otherwise is None or row.otherwise.stable,
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
