"""Error rates of both tests, measured on features of which the truth is known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import binomtest

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
from leitmotif.probe.panel.arguments import column, matrix, share, whole_number
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
    """By generator, [features]."""
    p_controlled: dict[str, Array]
    p_planted: dict[float, Array]
    """Of the controlled test, by strength."""

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
            return float((np.concatenate([*by_generator.values()]) <= level).mean())
        return float((self.p_planted[float(test)] <= level).mean())

    @property
    def nulls(self) -> int:
        """Features without foresight."""
        return sum(map(len, self.p_naive.values()))

    @property
    def fpr_naive(self) -> Interval:
        """Share of them that the naive test calls significant."""
        return rate(np.concatenate([*self.p_naive.values()]), self.alpha)

    @property
    def fpr_controlled(self) -> Interval:
        """Share of them that the controlled test calls significant."""
        return rate(np.concatenate([*self.p_controlled.values()]), self.alpha)

    def rows(self, *, horizon: str, site: str) -> list[CalibrationRow]:
        """All null features, those of each generator, and the planted ones, as a table has them."""

        def row(kind: Kind, controlled: Interval, n: int, **more: Any) -> CalibrationRow:
            return CalibrationRow(
                kind=kind,
                horizon=horizon,
                site=site,
                alpha=self.alpha,
                controlled=IntervalRow.of(controlled, n=n),
                **{"generator": None, "strength": None, "naive": None, **more},
            )

        naive = IntervalRow.of(self.fpr_naive, n=self.nulls)
        rows = [row("all", self.fpr_controlled, self.nulls, naive=naive)]
        for name, p in self.p_controlled.items():
            naive = IntervalRow.of(rate(self.p_naive[name], self.alpha), n=len(p))
            rows.append(row("null", rate(p, self.alpha), len(p), generator=name, naive=naive))
        for strength, p in self.p_planted.items():
            rows.append(row("planted", rate(p, self.alpha), len(p), strength=strength))
        return rows


def calibrate(
    source: NullIngredients,
    controls: Curves,
    *,
    each: int = 200,
    strengths: Sequence[float] = (0.05, 0.1, 0.2, 0.4),
    alpha: float = 0.05,
    folds: int = 5,
    permutations: int = 1000,
    generators: Mapping[str, Generator] = WITHOUT_FORESIGHT,
    seed: int = 0,
) -> Calibration:
    """Pass ``each`` features of every generator and strength through both tests.

    ``source.controls`` [rows, p] is what the features are functions of, ``controls`` [rows, ...]
    what the controlled test removes: the same, expanded. p-values are those before the correction
    for many features, which would hide an excess. Raises ProbeError for NaN and other shapes, as
    ``panel`` does.
    """
    whole_number(each, "each", least=1)
    share(alpha, "alpha")
    matrix(source.controls, "what the features are functions of")
    matrix(source.features, "features")
    test = partial(_tested, source, controls, folds, permutations, seed)
    both = partial(_both, source, each, seed, test)
    tested = in_processes(both, generators.items())
    shown = progress(tested, "features without foresight", total=len(generators))
    nulls = dict(zip(generators, shown, strict=True))
    # The planted features of all strengths are the same but for the strength of the link.
    own = _own(source, controls, folds, seed)
    without = _drawn(source, each, seed, "planted", partial(planted, own=own, strength=0.0))
    linked = (without + link(own, strength)[:, np.newaxis] for strength in strengths)
    p_planted = progress(in_processes(test, linked), "planted features", total=len(strengths))
    return Calibration(
        alpha,
        p_naive={name: p for name, (p, _) in nulls.items()},
        p_controlled={name: p for name, (_, p) in nulls.items()},
        p_planted=dict(zip(strengths, p_planted, strict=True)),
    )


def _both(
    source: NullIngredients,
    each: int,
    seed: int,
    test: Callable[[Array], Array],
    generator: tuple[str, Generator],
) -> tuple[Array, Array]:
    """p-values of the naive test and of the controlled one."""
    features = _drawn(source, each, seed, *generator)
    return NaiveCorrelation().fit(features, source.target).p_, test(features)


def rate(p: Array, alpha: float) -> Interval:
    """Share of p-values at or below ``alpha`` with its exact 95 % interval (Clopper-Pearson 1934).

    The interval takes the features for independent draws given the target. Raises ProbeError for
    what is no p-value.
    """
    p = column(p, "p-values")
    if not ((p >= 0) & (p <= 1)).all():
        raise ProbeError("these are no p-values", found=f"{p.min():g} to {p.max():g}")
    n, hits = len(p), int((p <= alpha).sum())
    exact = binomtest(hits, n).proportion_ci()
    return Interval(hits / n, exact.low, exact.high)


def _drawn(source: NullIngredients, each: int, seed: int, name: str, generator: Generator) -> Array:
    random = np.random.default_rng([seed, *name.encode()])
    return np.column_stack([generator(random, source) for _ in range(each)])


def _tested(
    source: NullIngredients,
    controls: Curves,
    folds: int,
    permutations: int,
    seed: int,
    features: Array,
) -> Array:
    # alpha 1: every permutation count will do, since nothing is corrected for many features.
    test = PartialEffects(
        folds=folds, permutations=permutations, shifts=0, alpha=1.0, random_state=seed
    )
    groups = _groups(source)
    return np.asarray(test.fit(features, source.target, controls=controls, groups=groups).p_)


def _own(source: NullIngredients, controls: Curves, folds: int, seed: int) -> Array:
    data = panel(
        source.features[:, :1],
        source.target,
        controls=controls,
        groups=_groups(source),
        folds=folds,
        seed=seed,
    )
    return np.vstack(residuals(Sums(data, place_means=True, gram=False)).targets)[:, 0]


def _groups(source: NullIngredients) -> Array:
    lengths = [track.stop - track.start for track in source.tracks]
    return np.repeat(np.arange(len(lengths)), lengths)
