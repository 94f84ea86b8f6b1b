"""What could have been found: the effect from which on one can count, and one that would be found.

That no effect was seen says as much as the pieces could have shown. Two numbers say how much, both
mean changes of the recurrence rate in points, by the rule of ``verdict.moves`` itself:

- ``least``: no smaller mean change can pass the rule with these pieces, this level, and so many
  continuations of each piece, whatever its control does not do. It is found by trying: pieces
  change towards the source as evenly as their continuations allow, which has the smallest p-value
  and the narrowest interval of all changes with one mean.
- ``likely``: the smallest mean change that passes with a probability of 80 % or more, if each piece
  changes by 100 points with the same probability, independently of the others, and not at all
  otherwise, and its control changes nothing. The numbers of pieces of either kind that change are
  binomial, so the probability is a sum over them, not a simulation.

The level is that of a candidate beside the others as they are: ``alpha`` over those that do not
count (rule 10 of ``leitmotif.claims``), which is all of them where none does. Before anything was
tried, that is what one has to reach by itself.

The intervals are those of ``intervals.bounded_mean``, whose ends are drawn; at the margin another
order of the pieces can move ``least`` by one continuation.
"""

import math
from functools import lru_cache

import numpy as np

from leitmotif.causal.experiment.effects import effect_of
from leitmotif.causal.verdict import Evidence, VerdictRules, moves
from leitmotif.claims import is_above_zero
from leitmotif.intervals import Array, bounded_mean
from leitmotif.tables.effects import PossibleRow

POWER = 0.8
"""Power of the effect that is called likely to be found."""
POINTS = 100.0
"""Rates are reported in percentage points."""
MOST = (-POINTS, POINTS)
"""No rate changes by more; nor do two changes from one baseline differ by more, as it cancels."""


@lru_cache(maxsize=256)
def possible(gaining: int, losing: int, rules: VerdictRules) -> PossibleRow:
    """What so many pieces that lack the event, and that have it, could have shown.

    >>> from leitmotif.claims import Claims
    >>> claims = Claims.of_horizons([[5, 7]], minimum_seconds=5, alpha=0.05)
    >>> possible(8, 8, VerdictRules(claims, tried=1, similarity=0.8)).least
    50.0
    >>> possible(3, 13, VerdictRules(claims, tried=1, similarity=0.8)).least is None
    True
    """
    least = likely = None
    if passes(_first(gaining, gaining), _first(losing, losing), rules):
        least = _least(gaining, losing, rules)
        likely = _likely(gaining, losing, rules)
    return PossibleRow(
        gaining=gaining,
        losing=losing,
        level=rules.claims.level(rules.tried),
        least=least,
        likely=likely,
    )


def passes(gained: Array, lost: Array, rules: VerdictRules) -> bool:
    """Whether changes of pieces, in points towards the source, pass the rule.

    ``gained`` [n] are those of the pieces that lack the event, ``lost`` [m] those that have it.
    """
    if min(len(gained), len(lost)) < 2:
        return False
    of_gained, of_lost, of_all = (
        effect_of({str(number): value for number, value in enumerate(values)}, limits=MOST)
        for values in (gained, lost, np.r_[gained, lost])
    )
    evidence = Evidence(
        decodable=(),
        ahead=of_all.interval,
        over_controls=of_all.interval,  # a control that changes nothing
        cue=None,
        onset=None,
        similarity=None,
        p=of_all.p,
        gained=of_gained.interval,
        lost=of_lost.interval,
        gaining=len(gained),
        losing=len(lost),
    )
    return moves(evidence, rules)


def power(share: float, gaining: int, losing: int, rules: VerdictRules) -> float:
    """Probability that the rule passes if each piece changes with the probability ``share``."""
    table = _table(gaining, losing, rules)
    return float(_binomial(gaining, share) @ table @ _binomial(losing, share))


def _least(gaining: int, losing: int, rules: VerdictRules) -> float:
    """In points: the first number of continuations that passes, split evenly where that will do."""
    seeds, pieces = rules.seeds, gaining + losing
    of_gaining, of_losing = _needed(gaining, seeds), _needed(losing, seeds)
    for changed in range(of_gaining + of_losing, pieces * seeds + 1):
        splits = range(
            max(of_gaining, changed - losing * seeds), min(gaining * seeds, changed - of_losing) + 1
        )
        even = changed * gaining / pieces
        for first in sorted(splits, key=lambda number: abs(number - even)):
            gained = _even(gaining, seeds, first)
            if passes(gained, _even(losing, seeds, changed - first), rules):
                return round(POINTS * changed / (pieces * seeds), 2)
    raise AssertionError("a change of all continuations passes")


def _needed(pieces: int, seeds: int) -> int:
    """Fewest continuations of pieces of one kind whose change has an interval above 0."""
    return next(
        changed
        for changed in range(1, pieces * seeds + 1)
        if is_above_zero(bounded_mean(_even(pieces, seeds, changed), MOST))
    )


def _likely(gaining: int, losing: int, rules: VerdictRules) -> float:
    """In points, rounded up to a tenth."""
    tenths = range(1, round(10 * POINTS) + 1)
    low, high = 0, len(tenths) - 1  # of a change of all pieces the power is 1
    while low < high:
        middle = (low + high) // 2
        if power(tenths[middle] / (10 * POINTS), gaining, losing, rules) >= POWER:
            high = middle
        else:
            low = middle + 1
    return tenths[low] / 10


@lru_cache(maxsize=64)
def _table(gaining: int, losing: int, rules: VerdictRules) -> Array:
    """[gaining + 1, losing + 1]: 1 where so many pieces of either kind that change pass.

    More that change never do worse, so each row needs only its first that passes.
    """
    table = np.zeros((gaining + 1, losing + 1))
    first = losing + 1
    for of_gaining in range(gaining + 1):
        gained = _first(gaining, of_gaining)
        while first > 0 and passes(gained, _first(losing, first - 1), rules):
            first -= 1
        table[of_gaining, first:] = 1.0
    return table


def _first(pieces: int, changed: int) -> Array:
    """[pieces]: the first of them change by 100 points, the others not at all."""
    return np.where(np.arange(pieces) < changed, POINTS, 0.0)


def _even(pieces: int, seeds: int, changed: int) -> Array:
    """[pieces], in points: so many continuations change, as evenly over the pieces as can be."""
    each, more = divmod(changed, pieces)
    return POINTS * (each + (np.arange(pieces) < more)) / seeds


def _binomial(trials: int, share: float) -> Array:
    """[trials + 1], probabilities of each number of successes."""
    return np.array(
        [
            math.comb(trials, hits) * share**hits * (1 - share) ** (trials - hits)
            for hits in range(trials + 1)
        ]
    )
