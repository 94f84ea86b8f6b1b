"""What may be claimed of a model: from which horizon, by which test, over which family of tests.

This is the one place that decides it; stages, verdicts, tables and pages ask it.

1. **Horizon.** A claim of foresight rests on a horizon that begins at least ``minimum_seconds``
   ahead. Nearer horizons show continuity. The *claimed* horizon is the nearest that is far enough.
2. **Sites.** A site is decodable at a horizon if the p-value of its partial R² counts in its family
   (rule 10), and if the intervals of the partial R², and of its excess over random weights where
   that was measured, lie above 0. Horizons that may carry a claim and horizons that may not are two
   families, each of all sites of one model: a nearer horizon more does not weaken a claim.
3. **Features.** A feature is chosen at a horizon if its q-value, after Benjamini and Hochberg over
   all features of all sites that were tested there, is at most ``alpha``. It is decodable if the
   interval of its partial effect excludes 0, too. Features that are changed together are decodable
   if each of them is. A group in which one member is enough would have as many chances as members,
   and would need a correction over them. A group in which each member has to pass needs none: if
   one member tells nothing, the group passes at most as often as that member does (an
   intersection-union test, Berger 1982).
4. **Chosen and measured apart.** Features that were chosen on one half of the tracks and measured
   on the other are decodable if the interval of their partial R² lies above 0. An approach makes
   one such statement, so there is no family. That holds, too, for the approach that tries every
   site and lets the effects choose one. For each half of the pieces the other half chooses the
   site, and only the effect at that site enters the statement. No effect is measured on the pieces
   that chose its site, so the choice does not raise the mean. It makes the two halves alike,
   however: at an ``alpha`` of 5 %, an effect that does not exist passes in 3 % of experiments at
   one site, and in 6 % at the best of five. That is about ``alpha``, so it counts as one statement.
5. **Causes.** An effect moves the recurrence if its interval lies above 0, and so does that of its
   excess over its controls, and those of the effect on pieces that have the event and on pieces
   that lack it, and if both p-values count among the candidates that were tried in the model
   (rule 10).
6. **Leads.** Residuals of a site *carry* an event from a lead of h seconds on if exchanging all
   those from which it is more than h seconds away, and none nearer, moves what the model expects:
   the interval lies above 0 for the events that the piece has and for those that it lacks, and so
   does its excess over the control donor's; both p-values count in the family (rule 10); and it is
   at least a tenth of what the whole counterfactual does. Leads that may carry a claim and nearer
   ones are two families, each of all sites. The *lead* of a site is the furthest from which
   it carries the event. One that is too near for a claim says that the model fetches, or hands on,
   what decides the event shortly before it.
7. **Permutations.** The smallest p-value of N permutations is 1 / (N + 1). If that exceeds
   ``alpha`` over the family, no site can ever be decodable, so such settings are refused. For
   features there is no such number: each is permuted until it is decided, with the correction over
   all that are tested (``leitmotif.probe.estimators.decided``). Tracks can be exchanged in so many
   ways only, however. Where that is too few for one feature by itself to be chosen, the results
   say how many have to be chosen together.
8. **Pieces.** n pieces give no effect a p-value below 2**(1 - n), and the interval of an effect
   lies above 0 for no fewer than four pieces, even if they agree. So there have to be enough pieces
   in all, and four that have the event and four that lack it. Where there are not, no effect can
   count, and that none was seen says nothing.
9. **Swaps.** A swapped component exceeds its controls if its mean effect is positive and its
   q-value, after Benjamini and Hochberg over the cells of all techniques in one scope, is at most
   5 %.
10. **Families.** Rules 2, 5 and 6 hold the chance of a single false statement in a family to
   ``alpha``, however its tests depend on each other, by the step-down of Holm (1979): of n tests
   the smallest p-value may be ``alpha`` / n, the next ``alpha`` / (n - 1), and so on to the first
   that is larger than it may be. A test that asks for several p-values has the largest of them. One
   that is refused by anything else, or has no p-value, is one of the n and never a step: what
   breaks the music has a small p-value, too, and should not ease the others. So a test is
   corrected over those that do not count beside it. Whether anything counts at all is decided by
   ``alpha`` / n alone, which is why permutations and pieces are needed by that (rules 7 and 8).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from leitmotif.errors import ConfigError, ProbeError

CLAIM = (
    "A model foresees events h seconds ahead at a site if what the site holds at steps more than h "
    "seconds before an event decides whether the event happens."
)
"""What foresight means; docs/claim.md says how it is identified."""
LEAST_SHARE = 0.1
"""Of the total effect; below it residuals touch an event, but do not carry it."""
SWAPS_ALPHA = 0.05
"""Rate of false discoveries among swapped components."""
LEAST_EACH_WAY = 4
"""Fewest pieces whose unanimous change has an interval above 0 (``intervals.bounded_mean``)."""

if TYPE_CHECKING:
    from leitmotif.intervals import Interval
    from leitmotif.tables.candidates import Ranked
    from leitmotif.tables.interchange import InterchangeRow
    from leitmotif.tables.interval import IntervalRow
    from leitmotif.tables.probes import ProbeRow

Row = TypeVar("Row", "ProbeRow", "InterchangeRow")


@dataclass(frozen=True)
class Horizon:
    """A stretch of the future, in seconds after now: (after, until].

    Raises ProbeError for one that is empty or lies in the past.
    """

    name: str
    after: float
    until: float

    def __post_init__(self) -> None:
        if not 0 <= self.after < self.until:
            raise ProbeError(
                f"horizon {self.name} is empty or lies in the past",
                found=f"({self.after:g}, {self.until:g}] s",
                expected="0 <= after < until",
            )


class ClaimSettings(Protocol):
    """The section ``probes`` of params.yaml, as far as it says what may be claimed."""

    @property
    def horizons(self) -> Sequence[Sequence[float]]: ...  # noqa: D102
    @property
    def minimum_seconds(self) -> float: ...  # noqa: D102
    @property
    def alpha(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class Claims:
    """The rules of this module with an experiment's settings.

    Parameters
    ----------
    horizons : the nearest first; at least one begins ``minimum_seconds`` ahead or later.
    minimum_seconds : least distance in seconds at which a claim is made.
    alpha : error rate of a family of tests.

    Raises ConfigError if no horizon may carry a claim.

    >>> claims = Claims.of_horizons([[1, 3], [5, 7], [6, 9]], minimum_seconds=5, alpha=0.05)
    >>> claims.claimed.name, claims.nearest.name, claims.family(sites=5)
    ('5-7s', '1-3s', 10)
    >>> claims.permutations_needed(sites=5)
    199
    """

    horizons: tuple[Horizon, ...]
    minimum_seconds: float
    alpha: float

    def __post_init__(self) -> None:
        if not any(self.may_carry(horizon.after) for horizon in self.horizons):
            names = ", ".join(horizon.name for horizon in self.horizons)
            raise ConfigError(
                "no horizon may carry a claim of foresight",
                found=f"probes.horizons {names}",
                expected=f"one that begins at least {self.minimum_seconds:g} s ahead "
                "(probes.minimum_seconds)",
                fix="add a later horizon; nearer ones show continuity only",
            )

    @classmethod
    def of(cls, settings: ClaimSettings) -> Self:
        """Take the settings of an experiment."""
        return cls.of_horizons(
            settings.horizons, minimum_seconds=settings.minimum_seconds, alpha=settings.alpha
        )

    @classmethod
    def of_horizons(
        cls, horizons: Iterable[Sequence[float]], *, minimum_seconds: float, alpha: float
    ) -> Self:
        """Make horizons of pairs [after, until] in seconds, in any order."""
        ordered = (
            Horizon(f"{after:g}-{until:g}s", after, until)
            for after, until in sorted(map(tuple, horizons))
        )
        return cls(tuple(ordered), minimum_seconds, alpha)

    @property
    def claimed(self) -> Horizon:
        """The nearest horizon that may carry a claim."""
        return next(horizon for horizon in self.horizons if self.may_carry(horizon.after))

    @property
    def far(self) -> list[Horizon]:
        """The horizons that may carry a claim, the nearest first."""
        return [horizon for horizon in self.horizons if self.may_carry(horizon.after)]

    @property
    def nearest(self) -> Horizon:
        """The nearest horizon of all: what is local is looked for there."""
        return self.horizons[0]

    def may_carry(self, seconds: float) -> bool:
        """Whether a horizon that begins so many seconds ahead may carry a claim."""
        return seconds >= self.minimum_seconds

    def level(self, tests: int) -> float:
        """Largest p-value that counts if the correction is over so many tests."""
        return self.alpha / max(1, tests)

    def corrected_over(self, sure: Sequence[float | None]) -> list[int]:
        """Over how many tests each of a family is corrected: those that do not count beside it.

        ``sure`` has the p-values of a family; None for a test that is refused by anything else
        (rule 10). A test counts if its own is at most the ``level`` of as many.

        >>> claims = Claims.of_horizons([[5, 7]], minimum_seconds=5, alpha=0.05)
        >>> claims.corrected_over([0.01, 0.02, None, 0.9])
        [4, 3, 2, 2]
        """
        return [
            len(sure) - self._counting([*sure[:test], *sure[test + 1 :]], tests=len(sure))
            for test in range(len(sure))
        ]

    def _counting(self, sure: Iterable[float | None], *, tests: int) -> int:
        """How many of these p-values count, one step after the other."""
        counting = 0
        for p in sorted(p for p in sure if p is not None):
            if p > self.level(tests - counting):
                break
            counting += 1
        return counting

    def family(self, *, sites: int) -> int:
        """How many tests stand behind a claim about one of so many sites of a model."""
        return sites * sum(self.may_carry(horizon.after) for horizon in self.horizons)

    def permutations_needed(self, *, sites: int) -> int:
        """Fewest permutations with which one of so many sites can be decodable."""
        # Less the rounding of the quotient: 10 tests at 0.05 need 199, not 200.
        return math.ceil(self.family(sites=sites) / self.alpha * (1 - 1e-12)) - 1

    def chosen_together(self, *, tracks_of_folds: Iterable[int], tested: int) -> int:
        """Fewest features that can be chosen among so many, since tracks are few (rule 7).

        Tracks change places within folds of these sizes, and the smallest p-value is 1 over the
        number of ways in which they can.

        >>> claims = Claims.of_horizons([[5, 7]], minimum_seconds=5, alpha=0.05)
        >>> claims.chosen_together(tracks_of_folds=[20] * 5, tested=163_840)
        1
        >>> claims.chosen_together(tracks_of_folds=[4] * 3, tested=163_840)
        238
        """
        ways = math.prod(map(math.factorial, tracks_of_folds))
        return max(1, math.ceil(tested / (ways * self.alpha)))

    def pieces_needed(self, *, tried: int) -> int:
        """Fewest pieces with which an effect can count if so many candidates are tried.

        Signs of n pieces can be flipped in 2**n ways, of which two are as extreme as unanimous
        pieces, so the smallest two-sided p-value is 2**(1 - n). Each way there have to be
        ``LEAST_EACH_WAY``.

        >>> claims = Claims.of_horizons([[5, 7]], minimum_seconds=5, alpha=0.05)
        >>> [claims.pieces_needed(tried=tried) for tried in (1, 5, 9)]
        [8, 8, 9]
        """
        by_signs = 1 + math.ceil(math.log2(1 / self.level(tried)) - 1e-9)
        return max(by_signs, 2 * LEAST_EACH_WAY)

    def can_show(self, *, gaining: int, losing: int, tried: int) -> bool:
        """Whether an effect could count in so many pieces that lack the event and that have it.

        >>> claims = Claims.of_horizons([[5, 7]], minimum_seconds=5, alpha=0.05)
        >>> claims.can_show(gaining=8, losing=8, tried=5)
        True
        >>> claims.can_show(gaining=3, losing=13, tried=5)
        False
        """
        enough = gaining + losing >= self.pieces_needed(tried=tried)
        return enough and min(gaining, losing) >= LEAST_EACH_WAY

    def decodable(self, rows: Iterable["ProbeRow"]) -> list["ProbeRow"]:
        """Those of one model's sites and horizons, all given, that are decodable (rule 2)."""
        return self._counted(rows, lambda row: row.p if _adds_something(row) else None)

    def _counted(self, rows: Iterable[Row], sure_of: Callable[[Row], float | None]) -> list[Row]:
        """Those that count in their families, of far rows and of near ones (rule 10)."""
        families: dict[bool, list[Row]] = {True: [], False: []}
        for row in rows:
            families[self.may_carry(row.after or 0.0)].append(row)
        return [
            row
            for family in families.values()
            for sure in [[sure_of(row) for row in family]]
            for row, p, tests in zip(family, sure, self.corrected_over(sure), strict=True)
            if p is not None and p <= self.level(tests)
        ]

    def least_decodable(
        self,
        null: Sequence[float],
        partial_r2: "Interval",
        over_random_weights: "Interval | None",
        *,
        after: float,
        sites: int,
    ) -> float | None:
        """The smallest partial R² at which a site could have been decodable by itself (rule 2).

        It has to exceed what exchanges of tracks reach by chance at the family's level, ``null``,
        and an interval as wide as the one that was found has to lie above 0, and above random
        weights. The test compares gains over their spread among tracks, so its own limit is near
        this one. ``after``: seconds ahead at which the horizon begins; ``sites``: of the model that
        were probed. Beside sites that are decodable less would do. None where no p-value of so
        many exchanges is small enough.
        """
        far = self.may_carry(after)
        horizons = sum(self.may_carry(horizon.after) == far for horizon in self.horizons)
        hits = math.floor(self.level(sites * horizons) * (len(null) + 1) + 1e-9)
        if hits < 1 or not null:
            return None
        by_chance = sorted(null, reverse=True)[min(hits, len(null)) - 1]
        widths = [partial_r2.mean - partial_r2.low]
        if over_random_weights is not None:
            widths.append(partial_r2.mean - over_random_weights.low)
        return max(by_chance, *widths)

    def foresight(self, rows: Iterable["ProbeRow"]) -> "ProbeRow | None":
        """The site and horizon of a claim where one model shows most; None: nowhere.

        ``rows`` are all of the model's sites and horizons.
        """
        far = [row for row in self.decodable(rows) if self.may_carry(row.after)]
        return max(far, key=lambda row: row.partial_r2.mean, default=None)

    def moves(
        self, p: float | None, intervals: Iterable["Interval | IntervalRow | None"], *, tried: int
    ) -> bool:
        """Whether an effect counts as a cause if so many candidates do not (rules 5 and 10).

        ``p`` is the larger of the p-values of the effect and of its excess over its controls;
        ``intervals`` are those of both, and of the effect on either kind of pieces.
        """
        sure = p is not None and p <= self.level(tried)
        return sure and all(map(is_above_zero, intervals))

    def leads(self, rows: Iterable["InterchangeRow"], *, model: str) -> dict[str, float]:
        """The lead in seconds of each site of a model that carries the event (rule 6).

        ``rows`` are those of all models; sites that do not carry it are left out.
        """
        curves = [
            row
            for row in rows
            if row.model == model
            and row.site is not None
            and row.after is not None
            and (row.window, row.donor, row.slot) == ("ahead", "counterfactual", None)
        ]
        leads: dict[str, float] = {}
        for row in self._counted(curves, _p_of_carrying):
            assert row.site is not None
            assert row.after is not None
            leads[row.site] = max(row.after, leads.get(row.site, row.after))
        return leads

    def recalls(self, rows: Iterable["InterchangeRow"], *, model: str) -> bool:
        """Whether a model's events depend on what decides them while all later tokens stay.

        By rule 6, of the whole counterfactual: one test of the model. ``rows`` are those of all
        models.
        """
        whole = (model, None, "deciding", "counterfactual", None)
        asked = [
            row for row in rows if (row.model, row.site, row.window, row.donor, row.slot) == whole
        ]
        return bool(self._counted(asked, _p_of_carrying))

    def is_chosen(self, q: float) -> bool:
        """Whether a feature with this q-value is chosen (rule 3)."""
        return q <= self.alpha

    def distance_of_choice(self, q: float) -> float:
        """Share by which this q-value would have to change for the feature to change sides."""
        return abs(q / self.alpha - 1)

    def level_of_choice(self, chosen: int, *, tested: int) -> float:
        """Largest p-value of a feature that is chosen where ``chosen`` of ``tested`` are (rule 3).

        >>> claims = Claims.of_horizons([[5, 7]], minimum_seconds=5, alpha=0.05)
        >>> claims.level_of_choice(2, tested=20)
        0.005
        """
        return self.alpha * chosen / tested

    def is_decodable(self, features: Sequence["Ranked"]) -> bool:
        """Whether features that are changed together are decodable at their horizon (rule 3).

        ``features`` is one feature, or the members of a group; without any, nothing is decodable.
        """
        return bool(features) and all(
            self.is_chosen(feature.q) and excludes_zero(feature) for feature in features
        )


def _p_of_carrying(row: "InterchangeRow") -> float | None:
    """The p-value by which residuals carry an event; None if anything else speaks against it."""
    # Of recordings a foreign residual moves events both ways, as it makes the ending that was
    # drawn less likely. There the excess is the finding, and one of as many that were tried.
    if row.over_control is None or row.nats.p is None or row.over_control.p is None:
        return None
    clear = all(map(is_above_zero, (row.nats, row.over_control, row.towards, row.away)))
    large = row.share is not None and row.share.mean >= LEAST_SHARE
    return max(row.nats.p, row.over_control.p) if clear and large else None


def _adds_something(row: "ProbeRow") -> bool:
    """Whether the partial R² is clear of zero, and of random weights.

    A network that has learnt nothing still sums up what it has read: a trace of the past that no
    control describes completely, and that is no foresight.
    """
    over = row.over_random_weights
    return row.partial_r2.low > 0 and (over is None or over.low > 0)


def is_above_zero(interval: "Interval | IntervalRow | None") -> bool:
    """Whether something was measured and its interval lies above 0 (rules 4 to 6)."""
    return interval is not None and interval.low > 0


def exceeds_controls(q: float | None, effect: "IntervalRow") -> bool:
    """Whether a swapped component does more than its controls (rule 9); ``q`` None: without any."""
    return q is not None and q <= SWAPS_ALPHA and effect.mean > 0


def excludes_zero(interval: "Interval | IntervalRow | Ranked | None") -> bool:
    """Whether something was measured and its interval lies on one side of 0 (rule 3)."""
    return interval is not None and (interval.low > 0 or interval.high < 0)
