"""Four ways to look for features that foresee, by the same code with one setting changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leitmotif.causal.candidates import Chosen
from leitmotif.causal.effects import ByTrack, chosen_apart, strongest
from leitmotif.causal.findings import Finding
from leitmotif.intervals import track_weights
from leitmotif.probe.blocks import Block, raw_block
from leitmotif.probe.encoded import encoded_blocks
from leitmotif.probe.experiment import Candidate as Ranked
from leitmotif.probe.experiment import (
    Probing,
    candidates,
    expanded,
    track_errors,
    varying,
)
from leitmotif.probe.intervals import Interval, explained
from leitmotif.probe.naive import NaiveCorrelation
from leitmotif.probe.nested import NestedRidge
from leitmotif.probe.panel import TRACKS_PER_FOLD, Array
from leitmotif.probe.registry import ControlSettings
from leitmotif.probe.rows import Rows, Sample
from leitmotif.probe.targets import Horizon
from leitmotif.sae.used import Used
from leitmotif.store.reader import ActivationStore

_LEAST_FOLDS = 3
_LEAST_TRACKS = 2 * _LEAST_FOLDS * TRACKS_PER_FOLD
"""Below which the tracks cannot be halved, each half with folds of its own."""


@dataclass(frozen=True)
class Approach:
    """How features are looked for: the same search, with one setting changed in each."""

    name: str
    controlled: bool = True
    """Remove controls, hold out tracks and exchange them; if not, pool all frames."""
    local: bool = False
    """Choose by the nearest horizon in the place of that of which a claim is made."""
    misaligned: bool = False
    """Read the next cached site with each autoencoder."""
    screened: bool = False
    """Let interventions choose the site, on other pieces than those its effect is measured on; if
    not, it is the site with most of the surest features."""


APPROACHES = {
    "naive": Approach("naive correlation", controlled=False),
    "local": Approach("local continuity", local=True),
    "misaligned": Approach("misaligned autoencoder", misaligned=True),
    "aligned": Approach("aligned and causal", screened=True),
}


@dataclass(frozen=True)
class Source:
    """Where an approach reads features."""

    encoded: Path
    """A folder for each autoencoder."""
    used: Sequence[Used]
    """Empty: the coordinates of the sites themselves."""


@dataclass(frozen=True)
class AtSite:
    """What an approach chose at one site, and what it would report of it."""

    chosen: Sequence[Chosen]
    """The surest features, the surest first."""
    r2: float | None
    """As the approach measures it: pooled and in sample without controls, ``partial_r2`` with."""
    partial_r2: Interval | None
    """Beyond the controls, over tracks that had no say in the choice; None where the tracks are too
    few to be halved."""


@dataclass(frozen=True)
class Found:
    """What an approach chose."""

    approach: Approach
    source: Source
    sites: Mapping[str, AtSite]
    """First the site with most of the surest features."""

    @property
    def site(self) -> str:
        """What the probes alone would choose."""
        return next(iter(self.sites))


@dataclass(frozen=True)
class Screened:
    """What becomes of an approach where interventions choose its site."""

    site: str
    """With the strongest effect on all pieces."""
    towards: ByTrack
    """Each piece's effect, in points, at the site that was chosen on other pieces."""
    over_random: ByTrack
    """Its excess over random features there; pieces without any are left out."""


def screen(judged: Mapping[str, Finding]) -> Screened:
    """Let the effects of an approach's features at each site choose the site."""
    effects = {site: one.towards for site, one in judged.items()}
    chosen = chosen_apart(effects)

    def at_chosen(values: Mapping[str, ByTrack]) -> ByTrack:
        return {track: values[s][track] for track, s in chosen.items() if track in values[s]}

    return Screened(
        strongest(effects, [*chosen]),
        at_chosen(effects),
        at_chosen({site: one.over_random for site, one in judged.items()}),
    )


@dataclass(frozen=True)
class Search:
    """Runs approaches on the rows of one experiment."""

    rows: Rows
    horizons: Sequence[Horizon]
    """The nearest first."""
    claimed: int
    """Which of them the claim is made of."""
    controls: ControlSettings
    store: ActivationStore
    sites: Sequence[str]
    how: Probing
    least_active: float
    """Share of the tracks in which a feature must be active."""
    surest: int
    """Features of all sites that are looked at."""
    together: int
    """Features of a site that are taken, at most."""

    def __call__(self, approach: Approach, source: Source) -> Found | None:
        """Choose features, and measure what they say of the claimed horizon.

        Returns None if the approach finds no feature. Raises ProbeError.
        """
        by_site, blocks = self._chosen(approach, source, None)
        if not by_site:
            return None
        held_out = self._held_out(approach, source, [*by_site])
        sites = {}
        for site, chosen in by_site.items():
            partial = held_out.get(site)
            if approach.controlled:
                r2 = None if partial is None else partial.mean
            else:
                r2 = _pooled_r2(_columns(blocks, chosen), self._pooled)
            sites[site] = AtSite(chosen, r2, partial)
        return Found(approach, source, sites)

    @property
    def _pooled(self) -> Array:
        return self.rows.targets[:, self.claimed]

    def _sample(self, horizon: int, tracks: Sequence[str] | None) -> Sample:
        return self.rows.sample(self.horizons, horizon, tracks=tracks)

    def _chosen(
        self, approach: Approach, source: Source, tracks: Sequence[str] | None
    ) -> tuple[Mapping[str, Sequence[Chosen]], Sequence[Block]]:
        """The features that an approach takes on some tracks, or on all; empty if none is sure."""
        sample = self._sample(0 if approach.local else self.claimed, tracks)
        blocks = [*self._blocks(sample, source)]
        ranked = (
            candidates(blocks, sample, self.controls, self.how)
            if approach.controlled
            else self._by_correlation(blocks, tracks)
        )
        sure = [one for one in ranked if one.q <= self.how.alpha][: self.surest]
        sites: dict[str, list[Chosen]] = {}
        for one in sure:
            effect = (one.effect, one.low, one.high)
            sites.setdefault(one.site, []).append(Chosen(one.site, one.hook, one.feature, effect))
        order = sorted(sites, key=lambda site: -len(sites[site]))
        return {site: sites[site][: self.together] for site in order}, blocks

    def _blocks(self, sample: Sample, source: Source) -> Iterator[Block]:
        for one in source.used:
            yield from encoded_blocks(
                self.rows,
                sample.inside,
                source.encoded / one.hook.name,
                least_active=self.least_active,
            )
        if not source.used:
            for site in self.sites:
                yield raw_block(site, self.rows.features(self.store, site))

    def _by_correlation(
        self, blocks: Sequence[Block], tracks: Sequence[str] | None
    ) -> list[Ranked]:
        """Rank by correlation over all frames, as if each were an observation and nobody doubted
        it: effect, low and high are one number."""
        inside = slice(None) if tracks is None else np.isin(self.rows.groups, [*tracks])
        found = []
        for block in blocks:
            values, kept = varying(block.values[inside])
            fit = NaiveCorrelation().fit(values, self._pooled[inside])
            found += [
                Ranked(
                    site=block.site,
                    hook=block.hook,
                    feature=int(number),
                    horizon=self.horizons[self.claimed].name,
                    effect=float(r),
                    low=float(r),
                    high=float(r),
                    p=float(p),
                    q=float(q),
                    p_shift=float("nan"),
                    stability=float("nan"),
                )
                for number, r, p, q in zip(block.numbers[kept], fit.r_, fit.p_, fit.q_, strict=True)
            ]
        return sorted(found, key=lambda one: (-abs(one.effect), one.site, one.feature))

    def _held_out(
        self, approach: Approach, source: Source, sites: Sequence[str]
    ) -> dict[str, Interval]:
        """Partial R² by site, with features chosen on one half of the tracks and measured on the
        other.

        Both ways, the halves' errors taken together. Where one half chooses nothing at a site, its
        choice adds nothing there. Empty if the tracks are too few.
        """
        names = np.unique(self.rows.groups)
        if len(names) < _LEAST_TRACKS:
            return {}
        order = np.random.default_rng(self.how.seed).permutation(names)
        halves = [part.tolist() for part in np.array_split(order, 2)]
        controls: list[Array] = []
        both: dict[str, list[Array]] = {site: [] for site in sites}
        for here, there in (halves, halves[::-1]):
            by_site, blocks = self._chosen(approach, source, here)
            for site in sites:
                # The controls' errors do not depend on the features beside them: any will do.
                X = _columns(blocks, by_site[site]) if site in by_site else blocks[0].values
                by_controls, by_all = self._errors(X, there)
                both[site].append(by_all if site in by_site else by_controls)
            controls.append(by_controls)
        total = np.concatenate(controls)
        weights = track_weights(len(total), seed=self.how.seed)
        return {
            site: explained(total, np.concatenate(left), weights) for site, left in both.items()
        }

    def _errors(self, X: Array, tracks: Sequence[str]) -> tuple[Array, Array]:
        """Squared errors of each track, by the controls alone and with features X [rows, n]."""
        sample = self._sample(self.claimed, tracks)
        folds = max(_LEAST_FOLDS, min(self.how.folds, len(tracks) // TRACKS_PER_FOLD))
        probe = NestedRidge(folds=folds, permutations=0, random_state=self.how.seed)
        probe.fit(
            varying(X[sample.inside])[0],
            sample.y,
            controls=expanded(sample, self.controls),
            groups=sample.groups,
        )
        return track_errors(probe, sample)


def _columns(blocks: Sequence[Block], chosen: Sequence[Chosen]) -> Array:
    """Values of chosen features [rows, n]."""
    columns = []
    for one in chosen:
        block = next(b for b in blocks if b.site == one.site and one.feature in b.numbers)
        at = int(np.searchsorted(block.numbers, one.feature))
        columns.append(block.values[:, at])
    return np.column_stack(columns)


def _pooled_r2(X: Array, y: NDArray[np.float64]) -> float:
    """Of least squares over all frames, in sample."""
    centred = X - X.mean(axis=0)
    target = y - y.mean()
    weights, *_ = np.linalg.lstsq(centred, target, rcond=None)
    return float(1 - np.square(target - centred @ weights).sum() / np.square(target).sum())
