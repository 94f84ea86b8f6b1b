"""Error rates of both tests, measured on features and targets of which the truth is known.

A rate over many features and one target says little: all features meet the same chance likeness of
this one target. So targets are drawn anew. Each is what the controls say of the real one, plus what
they leave of it in another track: as slow and as bound to the controls as the real one, and without
a link to any feature beyond them. Intervals are over targets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import betaincinv

from leitmotif.errors import ProbeError
from leitmotif.intervals import Interval
from leitmotif.probe.calibration.generators import (
    WITHOUT_FORESIGHT,
    Generator,
    NullIngredients,
    link,
    planted,
)
from leitmotif.probe.estimators.algebra import Sums
from leitmotif.probe.estimators.effects import PartialEffects
from leitmotif.probe.estimators.naive import NaiveCorrelation
from leitmotif.probe.estimators.residuals import residuals
from leitmotif.probe.panel.arguments import matrix, share, whole_number
from leitmotif.probe.panel.curves import Curves
from leitmotif.probe.panel.panel import Array, panel
from leitmotif.tables.calibration import CalibrationRow, Kind
from leitmotif.tables.interval import IntervalRow
from leitmotif.work.parallel import in_processes
from leitmotif.work.progress import progress


@dataclass(frozen=True)
class Calibration:
    """What is found among features without foresight, and among planted ones."""

    alpha: float
    p_naive: dict[str, Array]
    """p-values of the naive test by generator, [targets, features]."""
    p_controlled: dict[str, Array]
    p_planted: dict[float, Array]
    """p-values of the controlled test, by strength."""

    @property
    def power(self) -> dict[float, Interval]:
        """Share of planted features found at ``alpha``, by strength."""
        return {strength: rate(p, self.alpha) for strength, p in self.p_planted.items()}

    def share(self, test: str, level: float) -> float:
        """Share of features called significant at ``level``.

        ``test`` is ``naive`` or ``controlled``, of the features without foresight; a strength, of
        the planted ones; or ``nominal``, the level itself.
        """
        if test == "nominal":
            return level
        if test in ("naive", "controlled"):
            by_generator = self.p_naive if test == "naive" else self.p_controlled
            return float((np.hstack([*by_generator.values()]) <= level).mean())
        return float((self.p_planted[float(test)] <= level).mean())

    @property
    def targets(self) -> int:
        """Targets that were drawn."""
        return len(next(iter(self.p_naive.values())))

    @property
    def fpr_naive(self) -> Interval:
        """Share of them that the naive test calls significant."""
        return rate(np.hstack([*self.p_naive.values()]), self.alpha)

    @property
    def fpr_controlled(self) -> Interval:
        """Share of them that the controlled test calls significant."""
        return rate(np.hstack([*self.p_controlled.values()]), self.alpha)

    def rows(self, *, horizon: str, site: str) -> list[CalibrationRow]:
        """All null features, those of each generator, and the planted ones, as a table has them."""

        n = self.targets

        def row(kind: Kind, controlled: Interval, **more: Any) -> CalibrationRow:
            return CalibrationRow(
                kind=kind,
                horizon=horizon,
                site=site,
                alpha=self.alpha,
                controlled=IntervalRow.of(controlled, n=n),
                **{"generator": None, "strength": None, "naive": None, **more},
            )

        rows = [row("all", self.fpr_controlled, naive=IntervalRow.of(self.fpr_naive, n=n))]
        for name, p in self.p_controlled.items():
            naive = IntervalRow.of(rate(self.p_naive[name], self.alpha), n=n)
            rows.append(row("null", rate(p, self.alpha), generator=name, naive=naive))
        for strength, p in self.p_planted.items():
            rows.append(row("planted", rate(p, self.alpha), strength=strength))
        return rows


@dataclass(frozen=True)
class _Drawing:
    """How features and targets are drawn and tested."""

    source: NullIngredients
    controls: Curves
    explained: Array
    """[rows], what the controls say of the target."""
    left: Array
    """[rows], what they leave of it."""
    generators: Mapping[str, Generator]
    strengths: Sequence[float]
    each: int
    folds: int
    permutations: int
    seed: int

    def __call__(self, number: int) -> tuple[Array, Array, Array]:
        """Draw a target and its features; p-values [kinds, each] of both tests and of planted ones.

        Kinds are generators, or strengths.
        """
        random = np.random.default_rng([self.seed, number])
        own = exchanged(self.left, self.source.tracks, random)
        source = replace(self.source, target=self.explained + own)
        drawn = [
            generator(random, source)
            for generator in self.generators.values()
            for _ in range(self.each)
        ]
        # The planted features of all strengths are the same but for the strength of the link.
        bare = [planted(random, source, own=own, strength=0.0) for _ in range(self.each)]
        linked = [feature + link(own, s) for s in self.strengths for feature in bare]
        p = self._tested(np.column_stack([*drawn, *linked]), source)
        naive = NaiveCorrelation().fit(np.column_stack(drawn), source.target).p_
        shape = -1, self.each
        return (
            naive.reshape(shape),
            p[: len(drawn)].reshape(shape),
            p[len(drawn) :].reshape(shape),
        )

    def _tested(self, features: Array, source: NullIngredients) -> Array:
        # alpha 1: every permutation count will do, since nothing is corrected for many features.
        test = PartialEffects(
            folds=self.folds,
            permutations=self.permutations,
            shifts=0,
            alpha=1.0,
            random_state=self.seed,
        )
        groups = _groups(source)
        return np.asarray(
            test.fit(features, source.target, controls=self.controls, groups=groups).p_
        )


def calibrate(
    source: NullIngredients,
    controls: Curves,
    *,
    targets: int = 100,
    each: int = 3,
    strengths: Sequence[float] = (0.05, 0.1, 0.2, 0.4),
    alpha: float = 0.05,
    folds: int = 5,
    permutations: int = 1000,
    generators: Mapping[str, Generator] = WITHOUT_FORESIGHT,
    seed: int = 0,
) -> Calibration:
    """Pass features of every generator and strength through both tests, for each of many targets.

    p-values are those before the correction for many features, which would hide an excess.

    Parameters
    ----------
    source : real rows; its ``controls`` [rows, p] are what features are functions of.
    controls : what the controlled test removes, the same expanded: [rows, ...].
    targets : number of targets that are drawn.
    each : features of every kind for each target.
    strengths : partial correlations of the planted features.
    alpha : level of both tests.
    folds, permutations : of the controlled test.
    generators : of features without foresight, by name.
    seed : of all draws.

    Raises ProbeError for NaN and other shapes, as ``panel`` does.
    """
    whole_number(targets, "targets", least=2)
    whole_number(each, "each", least=1)
    share(alpha, "alpha")
    matrix(source.controls, "what the features are functions of")
    matrix(source.features, "features")
    left = _left(source, controls, folds, seed)
    draw = _Drawing(
        source,
        controls,
        explained=source.target - left,
        left=left,
        generators=generators,
        strengths=strengths,
        each=each,
        folds=folds,
        permutations=permutations,
        seed=seed,
    )
    tested = progress(in_processes(draw, range(targets)), "targets", total=targets)
    naive, controlled, linked = (np.stack(p, axis=1) for p in zip(*tested, strict=True))
    return Calibration(
        alpha,
        p_naive=dict(zip(generators, naive, strict=True)),
        p_controlled=dict(zip(generators, controlled, strict=True)),
        p_planted=dict(zip(strengths, linked, strict=True)),
    )


def exchanged(left: Array, tracks: tuple[slice, ...], random: np.random.Generator) -> Array:
    """Give each track what is left of the target in a track drawn at random: [rows].

    Each track is drawn once. A shorter one is repeated from its beginning.
    """
    moved = np.empty_like(left)
    for track, donor in zip(tracks, random.permutation(len(tracks)), strict=True):
        moved[track] = np.resize(left[tracks[donor]], track.stop - track.start)
    return moved


def rate(p: Array, alpha: float) -> Interval:
    """Share of p-values [targets, features] at or below ``alpha`` with its 95 % interval.

    The features of a target are no independent draws. The interval is that of Clopper & Pearson
    (1934) for as many independent draws as the spread over targets says that there are (Korn &
    Graubard 1998), at least one a target. Raises ProbeError for what is no p-value.
    """
    p = matrix(p, "p-values")
    if not ((p >= 0) & (p <= 1)).all():
        raise ProbeError("these are no p-values", found=f"{p.min():g} to {p.max():g}")
    hits = (p <= alpha).mean(axis=1)
    mean, n = float(hits.mean()), len(hits)
    spread = float(hits.var(ddof=1)) if n > 1 else 0.0
    draws = float(np.clip(mean * (1 - mean) / spread, 1, p.shape[1]) * n) if spread else float(n)
    count = mean * draws
    low = betaincinv(count, draws - count + 1, 0.025) if count else 0.0
    high = betaincinv(count + 1, draws - count, 0.975) if count < draws else 1.0
    return Interval(mean, float(low), float(high))


def _left(source: NullIngredients, controls: Curves, folds: int, seed: int) -> Array:
    """What the controls leave of the target, [rows]."""
    data = panel(
        source.features[:, :1],
        source.target,
        controls=controls,
        groups=_groups(source),
        folds=folds,
        seed=seed,
    )
    sums = Sums(data, place_means=True, gram=False)
    return np.vstack(residuals(sums).targets)[:, 0]


def _groups(source: NullIngredients) -> Array:
    lengths = [track.stop - track.start for track in source.tracks]
    return np.repeat(np.arange(len(lengths)), lengths)
