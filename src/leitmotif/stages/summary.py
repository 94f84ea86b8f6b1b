"""Stage ``summary``: four ways to look for foresight, by the same code with one setting changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from leitmotif.causal.candidates import Candidate, Chosen, FeatureCandidates, by_site
from leitmotif.causal.findings import judge
from leitmotif.config import Params
from leitmotif.files import read_json, write_json, write_text
from leitmotif.judge import Clap
from leitmotif.probe.blocks import Block, raw_block
from leitmotif.probe.encoded import encoded_blocks
from leitmotif.probe.experiment import Probing, candidates, expanded, varying
from leitmotif.probe.intervals import Interval
from leitmotif.probe.naive import NaiveCorrelation
from leitmotif.probe.nested import NestedRidge
from leitmotif.probe.panel import Array
from leitmotif.probe.registry import ControlSettings, load_controls
from leitmotif.probe.rows import Rows, Sample
from leitmotif.sae.encode import encode_site
from leitmotif.sae.used import Used, load_used
from leitmotif.stages import ACTIVATIONS, CONTROLS, METRICS, PLOTS, SAE, run
from leitmotif.stages.rows import claimed_horizon, gather_rows, horizons_of
from leitmotif.stages.study import Study
from leitmotif.stages.tracks import readable_tracks
from leitmotif.store.reader import ActivationStore


@dataclass(frozen=True)
class Approach:
    """How features are looked for; the first one differs in nothing, each other in one thing."""

    name: str
    controlled: bool = True
    """Remove controls, hold out tracks and exchange them; if not, pool all frames."""
    local: bool = False
    """Choose by the nearest horizon in the place of that of which a claim is made."""
    misaligned: bool = False
    """Read the next cached site with each autoencoder."""


APPROACHES = {
    "naive": Approach("naive correlation", controlled=False),
    "local": Approach("local continuity", local=True),
    "misaligned": Approach("misaligned autoencoder", misaligned=True),
    "aligned": Approach("aligned and causal"),
}


@dataclass(frozen=True)
class Found:
    """What an approach chose, and what it would report of it."""

    approach: Approach
    chosen: Sequence[Chosen]
    r2: float
    """As the approach measures it: pooled and in sample without controls, partial with them."""
    partial_r2: Interval
    """Of the same features, with controls, over held-out tracks."""
    encoded: Path
    used: Sequence[Used]


class Search:
    """Runs approaches on the rows of this folder's experiment."""

    def __init__(self, params: Params) -> None:
        self.params, probes = params, params.probes
        self.controls: ControlSettings = load_controls(CONTROLS)
        self.horizons = horizons_of(probes)
        self.rows: Rows = gather_rows(probes, readable_tracks(), self.controls)
        number = self.horizons.index(claimed_horizon(probes))
        self.far, self.near = (self.rows.sample(self.horizons, n) for n in (number, 0))
        self.pooled = self.rows.targets[:, number]
        self.store = ActivationStore(ACTIVATIONS)
        self.how = Probing(
            folds=probes.folds,
            permutations=0,
            shifts=0,
            alpha=probes.alpha,
            seeds=1,
            seed=probes.seed,
        )

    @threadpool_limits.wrap(limits=1, user_api="blas")
    def __call__(self, approach: Approach, encoded: Path, used: Sequence[Used]) -> Found | None:
        """Choose features of one site and measure what they say of the claimed horizon.

        None if the approach finds no feature.
        """
        sample = self.near if approach.local else self.far
        blocks = [*self._blocks(sample, encoded, used)]
        ranked = (
            candidates(blocks, sample, self.controls, self.how)
            if approach.controlled
            else self._pooled(blocks)
        )
        probes = self.params.probes
        sure = [one for one in ranked if one.q <= probes.alpha][: probes.candidates]
        if not sure:
            return None
        chosen = by_site(
            [
                Chosen(one.site, one.hook, one.feature, (one.effect, one.low, one.high))
                for one in sure
            ]
        )[: max(1, self.params.interventions.together)]
        X = _columns(blocks, chosen)
        partial = self._partial(X)
        r2 = partial.mean if approach.controlled else _pooled_r2(X, self.pooled)
        return Found(approach, chosen, r2, partial, encoded, used)

    def _blocks(self, sample: Sample, encoded: Path, used: Sequence[Used]) -> Iterator[Block]:
        least = self.params.probes.least_active
        for one in used:
            yield from encoded_blocks(
                self.rows, sample.inside, encoded / one.hook.name, least_active=least
            )
        if not used:
            for site in self.params.activations.sites:
                yield raw_block(site, self.rows.features(self.store, site))

    def _pooled(self, blocks: Sequence[Block]) -> list[Any]:
        """Rank by correlation over all frames, as if each were an observation."""
        found = []
        for block in blocks:
            values, kept = varying(block.values)
            fit = NaiveCorrelation().fit(values, self.pooled)
            found += [
                PooledFeature(block.site, block.hook, int(number), float(r), float(q))
                for number, r, q in zip(block.numbers[kept], fit.r_, fit.q_, strict=True)
            ]
        return sorted(found, key=lambda one: (-abs(one.effect), one.site, one.feature))

    def _partial(self, X: Array) -> Interval:
        sample = self.far
        probe = NestedRidge(folds=self.how.folds, permutations=0, random_state=self.how.seed)
        values, _ = varying(X[sample.inside])
        controls = expanded(sample, self.controls)
        probe.fit(values, sample.y, controls=controls, groups=sample.groups)
        interval: Interval = probe.partial_r2_[0]
        return interval


@dataclass(frozen=True)
class PooledFeature:
    """A feature's correlation over all frames, without an interval that could be believed."""

    site: str
    hook: str | None
    feature: int
    effect: float
    q: float

    @property
    def low(self) -> float:
        """The naive approach knows no doubt."""
        return self.effect

    @property
    def high(self) -> float:
        """As ``low``."""
        return self.effect


def summary(params: Params) -> None:
    """Write metrics/summary.json and plots/summary.csv."""
    clap = Clap.from_pretrained(
        params.judge.clap, revision=params.judge.clap_revision, device=params.judge.device
    )
    used = load_used(params.sae.hooks)
    search = Search(params)
    with TemporaryDirectory(prefix="leitmotif-") as folder:
        elsewhere = _misaligned(used, search.store, Path(folder))
        found = {
            approach: search(approach, Path(folder), elsewhere)
            if approach.misaligned
            else search(approach, SAE, used)
            for approach in (APPROACHES[name] for name in params.summary.approaches)
            if elsewhere or not approach.misaligned
        }
        study = Study(params, params.model.name, clap)
        tried = {
            approach: _candidate(one, study, search.store) for approach, one in found.items() if one
        }
        measures = study.run([*tried.values()])
    after = claimed_horizon(params.probes).after
    rows = []
    for approach, one in found.items():
        if one is None:
            rows.append(_empty(approach))
            continue
        judged = judge(
            tried[approach],
            measures,
            [(after, one.partial_r2)] if one.partial_r2.low > 0 else [],
            study.counterfactual,
            study.thresholds,
        )
        rows.append(_row(one, judged.metric))
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


def _by_name(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The columns of the table by approach: of a list, `dvc metrics diff` shows nothing."""
    columns = ("r2", "clap", "delta_recurrence", "verdict")
    return {row["name"]: {column: row[column] for column in columns} for row in rows}


def _misaligned(used: Sequence[Used], store: ActivationStore, out: Path) -> list[Used]:
    """Each autoencoder with the next cached site, encoded below ``out``; the last has none."""
    pairs = [
        Used(one.hook, one.sae, following.site, one.trained) for one, following in pairwise(used)
    ]
    for one in pairs:
        encode_site(one.sae, one.hook, store, out, site=one.site, allow_misaligned=True)
    return pairs


def _candidate(found: Found, study: Study, store: ActivationStore) -> Candidate:
    makes = FeatureCandidates(store, found.used, found.encoded, seed=study.settings.seed)
    return makes.candidate(found.chosen, study.pieces, doses=[], random=study.settings.random)


def _columns(blocks: Sequence[Block], chosen: Sequence[Chosen]) -> Array:
    """Values of chosen features [rows, n]."""
    columns = []
    for one in chosen:
        block = next(b for b in blocks if b.site == one.site and one.feature in b.numbers)
        at = int(np.searchsorted(block.numbers, one.feature))
        columns.append(block.values[:, at])  # noqa: PD011  # no frame of pandas
    return np.column_stack(columns)


def _pooled_r2(X: Array, y: Array) -> float:
    """Of least squares over all frames, in sample."""
    centred = X - X.mean(axis=0)
    target = y - y.mean()
    weights, *_ = np.linalg.lstsq(centred, target, rcond=None)
    return float(1 - np.square(target - centred @ weights).sum() / np.square(target).sum())


def _row(found: Found, metric: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": found.approach.name,
        "site": found.chosen[0].site,
        "hook": found.chosen[0].hook,
        "features": [one.feature for one in found.chosen],
        "r2": round(found.r2, 4),
        "partial_r2": found.partial_r2.as_metric(4),
        "clap": metric["clap_similarity"]["mean"],
        "clap_similarity": metric["clap_similarity"],
        "delta_recurrence": metric["effect"],
        "over_random": metric["over_random"],
        "verdict": metric["verdict"],
    }


def _empty(approach: Approach) -> dict[str, Any]:
    """Of an approach that finds nothing."""
    nothing = ("site", "hook", "r2", "partial_r2", "clap", "clap_similarity", "delta_recurrence")
    return {
        "name": approach.name,
        "features": [],
        **dict.fromkeys((*nothing, "over_random")),
        "verdict": "none",
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
