"""How much there is of everything that settings name: tracks, contexts, pieces, conditions."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from leitmotif.causal.experiment.conditions import conditions_of
from leitmotif.causal.experiment.pieces import WRITTEN_BACK
from leitmotif.causal.experiment.targets import WholeSite
from leitmotif.claims import Claims
from leitmotif.config import MtgJamendoCorpus, OrganismCorpus, Params
from leitmotif.corpus.organism.world import World, load_world
from leitmotif.lens.concepts import ConceptTable, load_concepts
from leitmotif.lens.sweep import SwapSweep, sweep_of
from leitmotif.plan.sizes import ModelSize, size_of
from leitmotif.sae.autoencoder.registry import Hook, registered
from leitmotif.sites import split_site

TRACKS_OF_A_SHARD = 202
"""Number of tracks of shard 0 of MTG-Jamendo's mood and theme subset; others have about 185."""
MEAN_TRACK_SECONDS = 244.0
"""Mean length of MTG-Jamendo: 3,777 hours in 55,701 tracks (Bogdanov et al. 2019)."""


@dataclass(frozen=True)
class Scale:
    """An experiment in numbers, all from its settings; what the data decide counts as its most."""

    params: Params

    @cached_property
    def model(self) -> ModelSize:
        """The model under study."""
        return size_of(self.params.model.name, self.params.model.revision)

    @cached_property
    def lens_model(self) -> ModelSize:
        """The model that follows prompts."""
        name = self.params.decoderlens.model
        return self.model if name is None else size_of(name)

    @cached_property
    def world(self) -> World | None:
        """Of composed music; None for recordings."""
        corpus = self.params.corpus
        return load_world(Path(corpus.path)) if isinstance(corpus, OrganismCorpus) else None

    @property
    def tracks(self) -> int:
        """Tracks of the manifest, at most."""
        match self.params.corpus:
            case OrganismCorpus(pieces=pieces):
                return min(self.params.manifest.tracks, pieces)
            case MtgJamendoCorpus(shards=shards):
                return min(self.params.manifest.tracks, TRACKS_OF_A_SHARD * len(shards))
            case _:
                return self.params.manifest.tracks

    @property
    def track_seconds(self) -> float:
        """Length of a recording; of recordings that are not here, the mean of MTG-Jamendo."""
        if self.world is None:
            return MEAN_TRACK_SECONDS
        world = self.world
        return world.bars * world.samples_per_bar / world.sample_rate

    @property
    def context_seconds(self) -> float:
        """Audio in one context of the model."""
        return min(self.params.manifest.window_seconds, self.track_seconds)

    @property
    def contexts(self) -> int:
        """Contexts that the model reads, of all tracks."""
        of_track = 1
        if self.params.manifest.windows == "all":
            of_track = math.ceil(self.track_seconds / self.params.manifest.window_seconds)
        return self.tracks * of_track

    @property
    def context_frames(self) -> int:
        """Frames of one context."""
        return int(self.context_seconds * self.model.frame_rate)

    @property
    def depth(self) -> float:
        """Share of the blocks that run until the last cached site."""
        last = max(split_site(site)[0] for site in self.params.activations.sites)
        return (last + 1) / self.model.decoder.layers

    @property
    def models(self) -> list[str]:
        """The model under study and those that it is compared with."""
        return list(dict.fromkeys((self.params.model.name, *self.params.probes.comparisons)))

    @cached_property
    def hooks(self) -> list[Hook]:
        """Autoencoders in use."""
        return registered(self.params.sae.hooks)

    @property
    def features(self) -> int:
        """Features that are tested one by one: of autoencoders, else coordinates of the sites."""
        of_hooks = {hook.site: hook.d_sae for hook in self.hooks}
        return sum(of_hooks.get(site, self.model.decoder.width) for site in self.sites)

    @property
    def sites(self) -> list[str]:
        """Cached sites."""
        return list(self.params.activations.sites)

    @property
    def probe_rows(self) -> int:
        """Rows of the probes, of all tracks."""
        probes = self.params.probes
        first = probes.start_seconds * self.model.frame_rate
        return self.contexts * max(1, math.ceil((self.context_frames - first) / probes.stride))

    @property
    def tested_rows(self) -> int:
        """Rows of one horizon, at most: of composed pieces those before a slot, of others all."""
        if self.world is None:
            return self.probe_rows
        probes = self.params.probes
        seconds = max(until - after for after, until in probes.horizons)
        before = math.ceil(seconds * self.model.frame_rate / probes.stride) + 1
        return min(self.probe_rows, self.contexts * before * len(self.world.slot_bars))

    @property
    def pieces(self) -> int:
        """Pieces that are continued, at most."""
        return min(self.params.interventions.tracks, self.tracks)

    @property
    def prefix_frames(self) -> int:
        """Frames that a measured continuation follows."""
        settings = self.params.interventions
        if self.world is None:
            seconds = settings.prefix_seconds + settings.opening_seconds
            return round(seconds * self.model.frame_rate)
        world = self.world
        return (world.cue_bar + 1) * world.frames_per_bar

    @property
    def untouched(self) -> int:
        """Conditions of one model that are of no candidate: two, and a shift of positions."""
        return 2 + (self.params.interventions.position_shift_seconds > 0)

    @property
    def site_conditions(self) -> int:
        """Conditions of a whole site: a patch in each window, a control, and an identity."""
        windows = 1 if self.world is None else 2
        return windows + 2

    @property
    def feature_conditions(self) -> int:
        """Conditions of a candidate feature, the local control included."""
        settings = self.params.interventions
        target = WholeSite(self.sites[0], torch.zeros(1))
        random = [target] * settings.random
        return len(
            conditions_of(
                "", target, doses=settings.doses, source="other", control="same", random=random,
                local=target, window="ahead",
            )
        )  # fmt: skip

    def conditions(self, *, of_features: bool) -> int:
        """Conditions of one model: those of no candidate, those of sites, and of candidates.

        Features are tried in the model under study alone.
        """
        of_sites = len(self.sites) * self.site_conditions
        return self.untouched + of_sites + self._features(of_features) * self.feature_conditions

    def clips(self, *, of_features: bool) -> int:
        """Clips of one model; in few pieces the activations of each candidate are written back."""
        candidates = len(self.sites) + self._features(of_features)
        written_back = candidates * min(WRITTEN_BACK, self.pieces)
        others = self.conditions(of_features=of_features) - candidates
        return (self.pieces * others + written_back) * self.params.interventions.seeds

    def _features(self, of_features: bool) -> int:
        settings = self.params.interventions
        return settings.candidates + (settings.together > 0) if of_features else 0

    @property
    def candidates_tried(self) -> int:
        """Candidates in the model under study, which are the family of the effects' p-values."""
        return len(self.sites) + self._features(True)

    @property
    def approach_conditions(self) -> int:
        """Conditions of the stage summary: at each site a patch of what each approach takes there.

        Controls are at two sites of an approach, and at all sites of one that is screened. What an
        approach would take otherwise doubles the patches and their own controls, at most.
        """
        sites, random = len(self.sites), self.params.interventions.random
        if self.hooks:
            sites = len(self.hooks)
        total = 0
        for name in self.params.summary.approaches:
            at = max(0, sites - 1) if name == "misaligned" else sites
            total += 2 * at + (random + 2) * (at if name == "aligned" else min(2, at))
        return total

    @property
    def pieces_needed(self) -> int:
        """Fewest pieces with which an effect can count."""
        return Claims.of(self.params.probes).pieces_needed(tried=self.candidates_tried)

    @cached_property
    def concepts(self) -> ConceptTable:
        """Concepts of the lens."""
        return load_concepts(Path(self.params.decoderlens.concepts))

    @cached_property
    def swap_sweep(self) -> SwapSweep:
        """The swaps of the stage of that name, with one prompt a set: they are many."""
        model = self.lens_model
        return sweep_of(
            self.params, layers=model.decoder.layers, frame_rate=model.frame_rate, prompts=1
        )

    @property
    def swap_prompts(self) -> int:
        """Prompts of each set of the stage ``swaps``."""
        return self.params.swaps.prompts if self.params.swaps.pairs is None else 1

    def autoencoder_bytes(self, size: int) -> int:
        """Of the weights of all autoencoders, with so many bytes a number."""
        return size * sum(hook.parameters for hook in self.hooks)
