"""What is intervened on: sites, features that the probes chose, and random features like them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from leitmotif.causal.experiment.conditions import Condition, conditions_of
from leitmotif.causal.experiment.matching import TOLERANCE, Matched, match
from leitmotif.causal.experiment.pieces import AHEAD, Pieces
from leitmotif.causal.experiment.targets import Coordinates, SaeFeatures, Target, WholeSite, resting
from leitmotif.errors import ConfigError, ModelError, ProbeError
from leitmotif.sae.autoencoder.encode import read_codes
from leitmotif.sae.autoencoder.used import UsedSae
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.tables.candidates import Ranked

TOLERANCES = (TOLERANCE, 2 * TOLERANCE, 4 * TOLERANCE)
"""Tried in turn; what was needed is in the metrics."""


@dataclass(frozen=True)
class Candidate:
    """One thing that is intervened on, with the conditions it is put under."""

    name: str
    site: str
    hook: str | None
    features: tuple[int, ...]
    """None of them for a whole site."""
    conditions: Sequence[Condition]
    chosen: Sequence[Ranked] = ()
    """What the probes say of each feature."""
    match_distance: float | None = None
    """Of the random feature that is least like the one it stands for; see ``matching``."""


def site_candidate(site: str, width: int, pieces: Pieces) -> Candidate:
    """A whole site, patched in each window from the counterfactual, and from the control source.

    In a few pieces it is written back as it was read.
    """
    target = WholeSite(site, torch.zeros(width))  # a patch never takes it to rest
    conditions = [
        Condition("patch", site, target, 1.0, pieces.source, window=name) for name in pieces.windows
    ]
    conditions += [
        Condition("control", site, target, 1.0, pieces.control, window=AHEAD),
        Condition("zero_effect", site, target, window=AHEAD, tracks=pieces.written_back),
    ]
    return Candidate(site, site, None, (), conditions)


class FeatureCandidates:
    """Makes candidates of features: their targets, and random features like them."""

    def __init__(
        self, store: ActivationStore, used: Sequence[UsedSae], encoded: Path, *, seed: int
    ) -> None:
        self._store, self._encoded, self._seed = store, encoded, seed
        self._used = {used_sae.hook.name: used_sae for used_sae in used}
        self._known: dict[str, Mapping[str, NDArray[np.float64]]] = {}
        self._rests: dict[str, torch.Tensor] = {}

    def target(self, site: str, hook: str | None, features: tuple[int, ...]) -> Target:
        """What is read and moved; raises ConfigError for an unknown hook."""
        if hook is None:
            rest = self._rest(site)
            return Coordinates(site, features, rest[list(features)])
        if hook not in self._used:
            raise ConfigError(
                f"no autoencoder {hook!r} is loaded",
                expected=", ".join(self._used) or "coordinates of a site (hook: null)",
                fix="enter it in sae.hooks of params.yaml",
            )
        used = self._used[hook]
        return SaeFeatures(used.sae, features, hook, used.hook.checkpoint.sha256, at=site)

    def candidate(
        self,
        chosen: Sequence[Ranked],
        pieces: Pieces,
        *,
        doses: Sequence[float],
        random: int,
        avoid: Sequence[int] = (),
        local: Ranked | None = None,
    ) -> Candidate:
        """Features of one site, intervened on together.

        They are patched from the control source too, as a site is: features whose foreign values
        make the model forget what it decided move the event whatever that source says of it. And
        ``random`` controls are drawn, each of as many features, matched one by one in firing rate
        and norm, none of them among ``avoid``. Raises ModelError where too few are alike.
        """
        first, features = chosen[0], tuple(ranked.feature for ranked in chosen)
        drawn: list[set[int]] = [set() for _ in range(random)]
        furthest = 0.0
        for feature in features if random else ():
            taken = {*avoid, *features, *(f for group in drawn for f in group)}
            matched = self._matched(first, feature, random, sorted(taken))
            furthest = max(furthest, *matched.distances)
            for group, other in zip(drawn, matched.features, strict=True):
                group.add(other)
        label = first.hook or first.site
        numbers = (
            "+".join(map(str, features)) if len(features) <= 3 else f"{len(features)} features"
        )
        name = f"{label}:{numbers}"
        conditions = conditions_of(
            name,
            self.target(first.site, first.hook, features),
            doses=doses,
            source=pieces.source,
            control=pieces.control,
            random=[
                self.target(first.site, first.hook, tuple(sorted(group)))
                for group in drawn
                if group
            ],
            local=None if local is None else self.target(local.site, local.hook, (local.feature,)),
            window=AHEAD,
            written_back=pieces.written_back,
        )
        return Candidate(
            name,
            first.site,
            first.hook,
            features,
            conditions,
            chosen,
            furthest if random else None,
        )

    def _matched(self, first: Ranked, feature: int, count: int, exclude: Sequence[int]) -> Matched:
        """Draw within the least tolerance at which there are enough: a rare kind has few alike."""
        properties = self._properties(first.site, first.hook)
        for tolerance in TOLERANCES:
            try:
                return match(
                    feature,
                    properties,
                    count=count,
                    seed=self._seed,
                    exclude=exclude,
                    tolerance=tolerance,
                )
            except ModelError:
                if tolerance == TOLERANCES[-1]:
                    raise
        raise AssertionError("the last tolerance returns or raises")

    def _properties(self, site: str, hook: str | None) -> Mapping[str, NDArray[np.float64]]:
        """Firing rate and norm of an autoencoder's features, or spread of coordinates."""
        key = hook or site
        if key not in self._known:
            if hook is None:
                rows = np.concatenate([x.astype(np.float64) for _, x in self._store.items(site)])
                self._known[key] = {"spread": rows.std(axis=0)}
            else:
                sae = self._used[hook].sae
                counts, frames = np.zeros(sae.config.d_sae), 0
                for path in sorted((self._encoded / hook).glob("*.safetensors")):
                    codes, _ = read_codes(path)
                    counts += np.bincount(codes.indices.numpy(), minlength=len(counts))
                    frames += codes.rows
                norms = sae.W_dec.detach().norm(dim=1).cpu().double().numpy()
                self._known[key] = {"rate": counts / max(frames, 1), "norm": norms}
        return self._known[key]

    def _rest(self, site: str) -> torch.Tensor:
        if site not in self._rests:
            self._rests[site] = resting(self._store, site)
        return self._rests[site]


def condition_names(candidate: Candidate) -> dict[Condition, str]:
    """Such as ``patch_ahead``, ``scale_ahead_-2`` or ``random_feature_ahead_1``, by condition."""
    names = {}
    among = candidate.conditions
    for condition in among:
        name = f"{condition.kind}_{condition.window}"
        alike = [
            other
            for other in among
            if (other.kind, other.window) == (condition.kind, condition.window)
        ]
        if condition.kind == "scale":
            name += f"_{condition.strength:g}"
        elif len(alike) > 1:
            name += f"_{alike.index(condition) + 1}"
        names[condition] = name
    return names


def by_site(chosen: Sequence[Ranked]) -> list[Ranked]:
    """The features of the site with the most of them, surest first; raises ProbeError of none."""
    if not chosen:
        raise ProbeError("there is no feature to choose from")
    counts: dict[str, int] = {}
    for feature in chosen:
        counts[feature.site] = counts.get(feature.site, 0) + 1
    best = max(counts, key=lambda site: counts[site])
    return [feature for feature in chosen if feature.site == best]
