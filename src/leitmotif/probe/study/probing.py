"""The whole probing experiment: every model, site and horizon, then features one by one."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from leitmotif.claims import Claims, Horizon
from leitmotif.config import Params
from leitmotif.musicgen.loading import load_model
from leitmotif.probe.compared.models import RANDOM_WEIGHTS, compared_models
from leitmotif.probe.estimators.experiment import (
    Fits,
    ProbeSettings,
    naive,
    over_baseline,
    probe_sites,
    selectivities,
    worth_of_controls,
)
from leitmotif.probe.features.blocks import FeatureBlock, raw_block
from leitmotif.probe.features.encoded import EncodedRows, read_encoded
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.inputs.rows import Rows, Sample
from leitmotif.probe.panel.panel import Array, track_folds
from leitmotif.probe.ranking import candidates
from leitmotif.probe.study.findings import beside, probe_rows
from leitmotif.probe.study.past import FeatureReading, check_past
from leitmotif.sae.autoencoder.used import UsedSae
from leitmotif.store.cache.codes import CachedCodec
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.tables.candidates import CandidateRow, Ranked, candidate_rows
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.probes import HorizonRow, ProbeRow, largest
from leitmotif.work.progress import progress

LISTENED = 2
"""Tracks on which the leak check listens."""


@dataclass(frozen=True)
class Probed:
    """What the experiment found."""

    probes: list[ProbeRow]
    horizons: list[HorizonRow]
    candidates: list[CandidateRow]
    tested: Sequence[Ranked]
    """All features that were tested at the claimed horizon."""


@dataclass(frozen=True)
class ProbeStudy:
    """Probes the model under study and those that it is compared with.

    Parameters
    ----------
    params : all settings; ``probes`` says how probes are fitted and which models are compared.
    rows : rows of the experiment, with their targets and controls.
    tracks : manifest rows of the experiment's tracks.
    controls : which controls there are, and how they are bent.
    used : autoencoders whose features are tested one by one.
    store : activations of the model under study.
    encoded : folder of the autoencoders' features, one folder for each hook.
    audio_root : folder to which the tracks' paths are relative.
    cache : folder of the work cache.
    """

    params: Params
    rows: Rows
    tracks: Sequence[ManifestTrack]
    controls: ControlSettings
    used: Sequence[UsedSae]
    store: ActivationStore
    encoded: Path
    audio_root: Path
    cache: Path

    def run(self) -> Probed:
        """Fit all probes and rank the features.

        Raises ProbeError for features that have heard the future, and for too little data.
        """
        heard_ahead = self._check_past()
        probes = self._rows(self._fits())
        tested = {
            horizon.name: self._ranked(self._samples[horizon])
            for horizon in (self.claims.claimed, self.claims.nearest)
        }
        return Probed(
            probes=probes,
            horizons=self._horizon_rows(probes, tested, heard_ahead),
            candidates=list(self._candidates(tested)),
            tested=tested[self.claims.claimed.name],
        )

    @cached_property
    def claims(self) -> Claims:
        """What may be claimed with these settings."""
        return Claims.of(self.params.probes)

    @property
    def name(self) -> str:
        """Of the model under study, as tables have it."""
        return Path(self.params.model.name).name

    @cached_property
    def probing(self) -> ProbeSettings:
        """How the probes are fitted."""
        fields = {"folds", "permutations", "shifts", "alpha", "seeds", "seed"}
        return ProbeSettings(**self.params.probes.model_dump(include=fields))

    @cached_property
    def _samples(self) -> Mapping[Horizon, Sample]:
        horizons = self.claims.horizons
        return {
            horizon: self.rows.sample(horizons, number) for number, horizon in enumerate(horizons)
        }

    @cached_property
    def _features(self) -> Mapping[str, Array]:
        """Of the model under study, on all rows, by site."""
        return self._features_of(self.store)

    def _features_of(self, store: ActivationStore) -> dict[str, Array]:
        return {site: self.rows.features(store, site) for site in self.params.activations.sites}

    def _check_past(self) -> float:
        """Refuse features that have heard the future; see ``leitmotif.probe.study.past``."""
        activations, model = self.params.activations, load_model(self.params.model)
        reading = FeatureReading(
            model,
            activations.sites,
            activations.dtype,
            {used.hook.name: (used.site, used.sae) for used in self.used},
            CachedCodec(model, self.cache),
        )
        tracks = self.tracks[:LISTENED]
        return check_past(
            reading, tracks, self.store, audio_root=self.audio_root, encoded=self.encoded
        )

    def _fits(self) -> dict[str, Fits]:
        """The probes of every model, the one under study first."""
        params, settings = self.params, self.params.probes
        samples = [*self._samples.values()]
        fits = {self.name: probe_sites(self._features, samples, self.controls, self.probing)}
        with compared_models(
            settings.comparisons,
            model=params.model,
            activations=params.activations,
            tracks=self.tracks,
            audio_root=self.audio_root,
            cache=self.cache,
            random_weights=settings.random_weights,
            seed=settings.seed,
        ) as stores:
            for name, store in progress([*stores.items()], "probes", total=len(stores)):
                features = self._features_of(store)
                fits[name] = probe_sites(features, samples, self.controls, self.probing)
        if RANDOM_WEIGHTS in fits:
            for model in fits.keys() - {RANDOM_WEIGHTS}:
                over_baseline(fits[model], fits[RANDOM_WEIGHTS], seed=settings.seed)
        return fits

    def _rows(self, fits: Mapping[str, Fits]) -> list[ProbeRow]:
        """Rows of all probes; beside those of the claim, the naive R² and the control task."""
        claimed = self.claims.claimed
        sample = self._samples[claimed]
        exploratory = self.params.probes.exploratory
        return beside(
            probe_rows(fits, self.claims, exploratory=exploratory),
            model=self.name,
            horizon=claimed.name,
            naive=naive(
                self._features,
                self.rows.targets[:, self.claims.horizons.index(claimed)],
                self.rows.groups,
            ),
            selectivity=selectivities(self._features, sample, self.probing),
        )

    def _ranked(self, sample: Sample) -> list[Ranked]:
        return candidates(self._blocks(sample), sample, self.controls, self.probing, self.claims)

    @cached_property
    def _encoded_rows(self) -> Mapping[str, EncodedRows]:
        return {
            used.site: read_encoded(self.rows, self.encoded / used.hook.name) for used in self.used
        }

    def _blocks(self, sample: Sample) -> Iterator[FeatureBlock]:
        """An autoencoder's features at each site that has one, else the residual's coordinates."""
        shown = f"features at {sample.horizon.name}"
        least_active = self.params.probes.least_active
        for site, features in progress([*self._features.items()], shown, total=len(self._features)):
            if site in self._encoded_rows:
                yield from self._encoded_rows[site].blocks(sample.inside, least_active=least_active)
            else:
                yield raw_block(site, features)

    def _horizon_rows(
        self, probes: Sequence[ProbeRow], tested: Mapping[str, Sequence[Ranked]], heard: float
    ) -> list[HorizonRow]:
        claimed = self.claims.claimed
        best = largest(probes, model=self.name, horizon=claimed.name).site
        return [
            HorizonRow(
                horizon=horizon.name,
                after=horizon.after,
                until=horizon.until,
                claimed=horizon == claimed,
                tracks=len(self.tracks),
                rows=len(sample.y),
                events=round(float((sample.y > 0).mean()), 4),
                heard_ahead=round(heard, 3),
                tested=len(tested[horizon.name]) if horizon.name in tested else None,
                chosen=len(self._chosen(tested[horizon.name])) if horizon.name in tested else None,
                least_chosen=self._least_chosen(sample, tested.get(horizon.name)),
                site=best,
                controls=worth_of_controls(
                    self._features[best], sample, self.controls, self.probing
                ),
                constant_controls=self.rows.controls.constant,
            )
            for horizon, sample in self._samples.items()
        ]

    def _least_chosen(self, sample: Sample, tested: Sequence[Ranked] | None) -> int | None:
        if tested is None:
            return None
        folds = track_folds(len(sample.tracks), self.probing.folds, seed=self.probing.seed)
        least = self.claims.chosen_together(tracks_of_folds=map(len, folds), tested=len(tested))
        if least > 1:
            warnings.warn(
                f"horizon {sample.horizon.name}: {len(sample.tracks)} tracks in {len(folds)} folds "
                f"can be exchanged in so few ways that none of {len(tested)} features can be "
                f"chosen unless {least} are; use more tracks, fewer folds (probes.folds), or test "
                "fewer features (probes.least_active)",
                stacklevel=2,
            )
        return least

    def _chosen(self, ranked: Sequence[Ranked]) -> list[Ranked]:
        return [feature for feature in ranked if self.claims.is_chosen(feature.q)]

    def _candidates(self, tested: Mapping[str, Sequence[Ranked]]) -> Iterator[CandidateRow]:
        """The surest features of each horizon at which they were tested."""
        settings = self.params.probes
        for ranked in tested.values():
            kept = self._chosen(ranked)[: settings.candidates]
            yield from candidate_rows(kept, exploratory=settings.exploratory)
