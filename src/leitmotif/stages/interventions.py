"""Stage ``interventions``: continue pieces while one thing is changed, and hear what changes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel

from leitmotif.causal.candidates import (
    Candidate,
    Chosen,
    FeatureCandidates,
    by_site,
    site_candidate,
)
from leitmotif.causal.conditions import Condition
from leitmotif.causal.findings import Finding, Measures, judge
from leitmotif.causal.log import InterventionRow, row_of, write_audio, write_log
from leitmotif.causal.measures import Listening, Measured, Measurer
from leitmotif.causal.pieces import NEXT_TRACK, Pieces, composed_pieces, recorded_pieces
from leitmotif.causal.runner import Continuing, Runner
from leitmotif.causal.twins import Twins
from leitmotif.causal.verdict import Thresholds, overall
from leitmotif.config import InterventionsParams, OrganismCorpus, Params
from leitmotif.files import atomic_folder, read_table, write_json, write_text
from leitmotif.judge import Clap
from leitmotif.musicgen import HookedMusicGen, Sampling
from leitmotif.probe.intervals import Interval
from leitmotif.progress import progress
from leitmotif.recurrence.settings import search_of
from leitmotif.review.labels import Label
from leitmotif.sae.used import load_used
from leitmotif.stages import (
    ACTIVATIONS,
    CANDIDATES,
    CLIPS,
    CORPUS,
    INTERVENTIONS,
    LABELS,
    METRICS,
    PLOTS,
    SAE,
    WORK_CACHE,
    run,
)
from leitmotif.stages.rows import claimed_horizon, horizons_of
from leitmotif.stages.tracks import readable_tracks
from leitmotif.store.cache import WorkCache
from leitmotif.store.reader import ActivationStore


class ProbedFeature(BaseModel):
    """What is read of a row of data/candidates.jsonl."""

    site: str
    hook: str | None
    feature: int
    horizon: str
    effect: float
    low: float
    high: float

    @property
    def chosen(self) -> Chosen:
        """For the candidates."""
        return Chosen(self.site, self.hook, self.feature, (self.effect, self.low, self.high))


def interventions(params: Params) -> None:
    """Write data/interventions.jsonl, data/clips, metrics/interventions.json and the plots."""
    settings = params.interventions
    clap = Clap.from_pretrained(
        params.judge.clap, revision=params.judge.clap_revision, device=params.judge.device
    )
    probed = json.loads((METRICS / "probes.json").read_text(encoding="utf-8"))
    studies = {}
    rows: list[InterventionRow] = []
    with atomic_folder(CLIPS) as clips:
        for name in dict.fromkeys((params.model.name, *params.probes.comparisons)):
            study = Study(params, name, clap, probed["models"][Path(name).name])
            studies[Path(name).name] = study.run()
            rows += study.log(clips)
    write_log(INTERVENTIONS, rows)
    write_json(
        METRICS / "interventions.json",
        {
            "exploratory": params.probes.exploratory,
            "tracks": settings.tracks,
            "seeds": settings.seeds,
            "clips": len({row.clip_id for row in rows}),
            "verdicts": {name: found["verdict"] for name, found in studies.items()},
            "models": studies,
        },
    )
    write_text(PLOTS / "interventions.csv", _plot(studies).to_csv(index=False))


class Study:
    """One model's pieces, conditions, clips and findings."""

    def __init__(
        self, params: Params, name: str, clap: Clap, probed: Mapping[str, Mapping[str, Any]]
    ) -> None:
        own = name == params.model.name
        self.params, self.settings, self.name, self.probed = (
            params,
            params.interventions,
            name,
            probed,
        )
        self.model = HookedMusicGen.from_pretrained(
            name,
            revision=params.model.revision if own else None,
            device=params.model.device,
            dtype=params.model.dtype,
            text_padding=params.model.text_padding,
        )
        self.pieces = self._pieces()
        self.how = _continuing(self.settings)
        self.candidates = [*self._sites(), *(self._features() if own else [])]
        self.clap = clap
        self.measured: list[Measured] = []

    def run(self) -> dict[str, Any]:
        """Make and hear the clips; returns the model's entry of the metrics."""
        baseline = Condition("baseline")
        known = self.pieces.source != NEXT_TRACK
        counterfactual = Condition("counterfactual", source=self.pieces.source) if known else None
        conditions = [baseline, *([counterfactual] if counterfactual else [])]
        conditions += [one for candidate in self.candidates for one in candidate.conditions]
        runner = Runner(
            self.model, WorkCache(WORK_CACHE / "clips"), self.how, rows=self.settings.rows
        )
        clips = runner.run(self.pieces.prefixes, conditions)
        total = len(conditions) * len(self.pieces.prefixes) * self.settings.seeds
        measurer = Measurer(self.model, self.clap, self._listening())
        shown = progress(clips, f"interventions in {Path(self.name).name}", total=total)
        self.measured = list(measurer.measure(shown))
        measures = Measures(self.pieces, self.measured)
        thresholds = Thresholds(
            minimum_seconds=self.params.probes.minimum_seconds,
            similarity=self.settings.min_similarity,
        )
        found = [
            judge(one, measures, self._decodable(one), counterfactual, thresholds)
            for one in self.candidates
        ]
        return self._metric(measures, found, baseline, counterfactual)

    def log(self, folder: Path) -> list[InterventionRow]:
        """Write the audio of the kept pieces below ``folder`` and return the lines of the log."""
        kept = {piece.prefix.track_id for piece in self.pieces.pieces[: self.settings.kept_tracks]}
        rows, written = [], set()
        for one in self.measured:
            file = None
            if one.clip.prefix.track_id in kept:
                # Clips that sound the same share a file.
                name = f"{one.audio_sha256[:16]}.wav"
                file = f"{CLIPS.name}/{name}"
                if name not in written:
                    write_audio(folder / name, one, self.model.sample_rate)
                    written.add(name)
            rows.append(
                row_of(
                    one,
                    self.how,
                    model=self.name,
                    model_fingerprint=self.model.fingerprint,
                    file=file,
                )
            )
        return rows

    def _pieces(self) -> Pieces:
        params, settings = self.params, self.settings
        tracks = readable_tracks()
        if isinstance(params.corpus, OrganismCorpus):
            twins = Twins.of_corpus(CORPUS, Path(params.corpus.path))
            return composed_pieces(self.model, tracks[: settings.tracks], CORPUS, twins)
        labels = read_table(LABELS, Label)
        labelled = {label.track_id for label in labels}
        return recorded_pieces(
            self.model,
            [track for track in tracks if track.track_id in labelled][: settings.tracks],
            CORPUS,
            labels,
            seconds=settings.prefix_seconds,
            horizon=params.probes.minimum_seconds,
            prompt=params.activations.prompt == "tags",
        )

    def _listening(self) -> Listening:
        return Listening(
            search=search_of(self.params.proposals),
            motifs={piece.prefix.track_id: piece.motifs for piece in self.pieces.pieces},
            heard={
                piece.prefix.track_id: piece.heard
                for piece in self.pieces.pieces
                if piece.heard is not None
            },
            p=self.settings.p,
            min_score=self.settings.min_score,
        )

    def _sites(self) -> list[Candidate]:
        return [
            site_candidate(site, self.model.width, self.pieces, identity=True)
            for site in self.params.activations.sites
        ]

    def _features(self) -> list[Candidate]:
        """The probes' surest features one by one, and those of one site together."""
        settings = self.settings
        rows = [ProbedFeature.model_validate_json(line) for line in _lines(CANDIDATES)]
        horizons = horizons_of(self.params.probes)
        far = claimed_horizon(self.params.probes).name
        chosen = [row.chosen for row in rows if row.horizon == far]
        avoid = {(one.site, one.feature) for one in chosen}
        local = next(
            (
                row.chosen
                for row in rows
                if row.horizon == horizons[0].name != far and (row.site, row.feature) not in avoid
            ),
            None,
        )
        makes = FeatureCandidates(
            ActivationStore(ACTIVATIONS),
            load_used(self.params.sae.hooks),
            SAE,
            seed=settings.seed,
        )
        groups = [[one] for one in chosen[: settings.candidates]]
        if settings.together and chosen:
            groups.append(by_site(chosen)[: settings.together])
        return [
            makes.candidate(
                group,
                self.pieces,
                doses=settings.doses,
                random=settings.random,
                avoid=[feature for site, feature in avoid if site == group[0].site],
                local=local,
            )
            for group in groups
        ]

    def _decodable(self, candidate: Candidate) -> list[tuple[float, Interval]]:
        """What the probes said of a candidate: a site's partial R², or a feature's effect."""
        horizons = {horizon.name: horizon.after for horizon in horizons_of(self.params.probes)}
        if candidate.features:
            after = claimed_horizon(self.params.probes).after
            return [(after, Interval(*effect)) for effect in candidate.effects]
        cells = self.probed[candidate.site]
        return [
            (horizons[name], Interval(**cell["partial_r2"]))
            for name, cell in cells.items()
            if _sure(cell, self.params.probes.alpha / (len(cells) * len(self.probed)))
        ]

    def _metric(
        self,
        measures: Measures,
        found: Sequence[Finding],
        baseline: Condition,
        counterfactual: Condition | None,
    ) -> dict[str, Any]:
        sites = [one for one in found if not one.candidate.features]
        carriers = [one.candidate.site for one in sites if one.verdict == "foresight"]
        inert = [one.candidate.site for one in sites if one.verdict == "decodable, not causal"]
        return {
            "verdict": overall([one.verdict for one in found]),
            "carriers": carriers,
            "decodable_but_inert": inert,
            "identity": measures.identity(),
            "baseline": measures.metric(baseline),
            "counterfactual": None if counterfactual is None else measures.metric(counterfactual),
            "candidates": {one.candidate.name: one.metric for one in found},
        }


def _sure(cell: Mapping[str, Any], alpha: float) -> bool:
    """Whether a site's probe is significant, clear of zero, and beyond random weights."""
    over = cell.get("over_random_weights")
    return bool(
        cell["p"] <= alpha and cell["partial_r2"]["low"] > 0 and (over is None or over["low"] > 0)
    )


def _continuing(settings: InterventionsParams) -> Continuing:
    return Continuing(
        seconds=settings.seconds,
        seeds=tuple(range(settings.seed, settings.seed + settings.seeds)),
        sampling=Sampling(temperature=settings.temperature, top_k=settings.top_k),
        guidance_scale=settings.guidance_scale,
    )


def _lines(path: Path) -> Iterable[str]:
    return path.read_text(encoding="utf-8").splitlines()


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
