"""The search for features that foresee: what an approach chooses, and how far that holds."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leitmotif.causal.approaches.kinds import Approach, AtSite, EncodedFeatures, FeatureChoice
from leitmotif.causal.approaches.selection import FeatureSelection
from leitmotif.claims import Claims, Horizon
from leitmotif.intervals import sign_flip_p, track_weights
from leitmotif.probe.estimators.experiment import ProbeSettings, errors_of, varying
from leitmotif.probe.estimators.intervals import explained
from leitmotif.probe.estimators.naive import NaiveCorrelation
from leitmotif.probe.features.blocks import FeatureBlock, raw_block
from leitmotif.probe.features.encoded import EncodedRows, read_encoded
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.inputs.rows import Rows, Sample
from leitmotif.probe.panel.panel import TRACKS_PER_FOLD, Array
from leitmotif.probe.ranking import candidates
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.tables.candidates import Ranked
from leitmotif.tables.interval import IntervalRow

_LEAST_FOLDS = 3
_LEAST_TRACKS = 2 * _LEAST_FOLDS * TRACKS_PER_FOLD
"""Below which the tracks cannot be halved, each half with folds of its own."""


@dataclass(frozen=True)
class FeatureSearch:
    """Runs approaches on the rows of one experiment."""

    rows: Rows
    claims: Claims
    """Its horizons are those that the rows' targets were made for."""
    controls: ControlSettings
    store: ActivationStore
    sites: Sequence[str]
    probing: ProbeSettings
    least_active: float
    """Share of the tracks in which a feature must be active."""
    surest: int
    """Features of all sites that are looked at."""
    together: int
    """Features of a site that are taken, at most."""
    _read: dict[Path | str, EncodedRows | Array] = field(default_factory=dict)
    """Features on all rows, by folder or site: several approaches read the same."""

    def __call__(self, approach: Approach, source: EncodedFeatures) -> FeatureChoice | None:
        """Choose features, and measure what they say of the claimed horizon.

        Returns None if the approach finds no feature. Raises ProbeError.
        """
        selection = self._selection(approach, source, None)
        taken = selection.taken()
        if not taken:
            return None
        held_out = self._held_out(approach, source, [*taken])
        sites = {}
        for site, ranked in taken.items():
            partial_r2 = held_out.get(site)
            if approach.controlled:
                r2 = None if partial_r2 is None else partial_r2.mean
            else:
                r2 = _pooled_r2(self._columns(source, ranked), self._pooled)
            near, otherwise = selection.otherwise(site)
            sites[site] = AtSite(
                chosen=ranked,
                r2=r2,
                partial_r2=partial_r2,
                near=near,
                otherwise=otherwise.get(site, []),
            )
        _, otherwise = selection.otherwise(next(iter(taken)))
        return FeatureChoice(approach, source, sites, selection.lead(), next(iter(otherwise), None))

    @property
    def _pooled(self) -> Array:
        return self.rows.targets[:, self.claims.horizons.index(self.claims.claimed)]

    def _sample(self, horizon: Horizon, tracks: Sequence[str] | None) -> Sample:
        horizons = self.claims.horizons
        return self.rows.sample(horizons, horizons.index(horizon), tracks=tracks)

    def _selection(
        self, approach: Approach, source: EncodedFeatures, tracks: Sequence[str] | None
    ) -> FeatureSelection:
        """The features that an approach ranks on some tracks, or on all."""
        claims = self.claims
        sample = self._sample(claims.nearest if approach.local else claims.claimed, tracks)
        blocks = self._blocks(sample, source)
        ranked = (
            candidates(blocks, sample, self.controls, self.probing, claims)
            if approach.controlled
            else self._by_correlation(blocks, tracks)
        )
        return FeatureSelection(
            ranked,
            claims=claims,
            surest=self.surest,
            together=self.together,
            by_effect=not approach.controlled,
        )

    def _blocks(self, sample: Sample, source: EncodedFeatures) -> Iterator[FeatureBlock]:
        for used in source.used:
            encoded = self._encoded(source.encoded / used.hook.name)
            yield from encoded.blocks(sample.inside, least_active=self.least_active)
        if not source.used:
            for site in self.sites:
                yield raw_block(site, self._raw(site))

    def _encoded(self, folder: Path) -> EncodedRows:
        if folder not in self._read:
            self._read[folder] = read_encoded(self.rows, folder)
        encoded = self._read[folder]
        assert isinstance(encoded, EncodedRows)
        return encoded

    def _raw(self, site: str) -> Array:
        if site not in self._read:
            self._read[site] = self.rows.features(self.store, site)
        features = self._read[site]
        assert isinstance(features, np.ndarray)
        return features

    def _columns(self, source: EncodedFeatures, ranked: Sequence[Ranked]) -> Array:
        """Values of features of one site on all rows [rows, n]."""
        numbers, hook = [feature.feature for feature in ranked], ranked[0].hook
        if hook is None:
            return self._raw(ranked[0].site)[:, numbers]
        return self._encoded(source.encoded / hook).columns(numbers)

    def _by_correlation(
        self, blocks: Iterable[FeatureBlock], tracks: Sequence[str] | None
    ) -> list[Ranked]:
        """Rank by correlation over all frames, as if each were an observation and nobody doubted
        it: effect, low and high are one number."""
        inside = slice(None) if tracks is None else np.isin(self.rows.groups, [*tracks])
        ranked = []
        for block in blocks:
            values, kept = varying(block.values[inside])
            fit = NaiveCorrelation().fit(values, self._pooled[inside])
            ranked += [
                Ranked(
                    site=block.site,
                    hook=block.hook,
                    feature=int(number),
                    horizon=self.claims.claimed.name,
                    effect=float(r),
                    low=float(r),
                    high=float(r),
                    p=float(p),
                    q=float(q),
                    p_shift=None,
                    stability=None,
                )
                for number, r, p, q in zip(block.numbers[kept], fit.r_, fit.p_, fit.q_, strict=True)
            ]
        return sorted(
            ranked, key=lambda feature: (-abs(feature.effect), feature.site, feature.feature)
        )

    def _held_out(
        self, approach: Approach, source: EncodedFeatures, sites: Sequence[str]
    ) -> dict[str, IntervalRow]:
        """Partial R² by site, with features chosen on one half of the tracks and measured on the
        other.

        Both ways, the halves' errors taken together. Where one half chooses nothing at a site, its
        choice adds nothing there. Empty if the tracks are too few.
        """
        names = np.unique(self.rows.groups)
        if len(names) < _LEAST_TRACKS:
            return {}
        order = np.random.default_rng(self.probing.seed).permutation(names)
        halves = [part.tolist() for part in np.array_split(order, 2)]
        controls: list[Array] = []
        both: dict[str, list[Array]] = {site: [] for site in sites}
        for here, there in (halves, halves[::-1]):
            taken = self._selection(approach, source, here).taken()
            columns = [self._columns(source, taken[site]) for site in sites if site in taken]
            # The controls' errors do not depend on the features beside them: any will do.
            errors = self._errors(columns or [next(self._any(source, there))], there)
            by_controls = errors[0][0]
            by_all = iter([of_site for _, of_site in errors])
            for site in sites:
                both[site].append(next(by_all) if site in taken else by_controls)
            controls.append(by_controls)
        total = np.concatenate(controls)
        weights = track_weights(len(total), seed=self.probing.seed)
        left = {site: np.concatenate(halves) for site, halves in both.items()}
        return {
            site: IntervalRow.of(
                explained(total, by_all, weights), 4, p=sign_flip_p(total - by_all), n=len(total)
            )
            for site, by_all in left.items()
        }

    def _any(self, source: EncodedFeatures, tracks: Sequence[str]) -> Iterator[Array]:
        """Some feature that varies in these tracks, on all rows."""
        sample = self._sample(self.claims.claimed, tracks)
        for block in self._blocks(sample, source):
            yield block.values[:, varying(block.values[sample.inside])[1][:1]]

    def _errors(self, columns: Sequence[Array], tracks: Sequence[str]) -> list[tuple[Array, Array]]:
        """Squared errors of each track, by the controls alone and with features [rows, n], of each
        of several sites."""
        sample = self._sample(self.claims.claimed, tracks)
        folds = max(_LEAST_FOLDS, min(self.probing.folds, len(tracks) // TRACKS_PER_FOLD))
        return errors_of(columns, sample, self.controls, replace(self.probing, folds=folds))


def _pooled_r2(X: Array, y: NDArray[np.float64]) -> float:
    """Of least squares over all frames, in sample."""
    centred = X - X.mean(axis=0)
    target = y - y.mean()
    weights, *_ = np.linalg.lstsq(centred, target, rcond=None)
    return float(1 - np.square(target - centred @ weights).sum() / np.square(target).sum())
