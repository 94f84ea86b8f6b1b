"""What could have been found: against all that can happen in a few pieces, and as it moves."""

from itertools import combinations_with_replacement, product

import numpy as np
import pytest

from leitmotif.causal.possible import POWER, passes, possible, power
from leitmotif.causal.verdict import VerdictRules
from leitmotif.claims import Claims

CLAIMS = Claims.of_horizons([[1, 3], [5, 7]], minimum_seconds=5.0, alpha=0.05)


def rules(tried: int = 1, seeds: int = 1) -> VerdictRules:
    return VerdictRules(CLAIMS, tried=tried, similarity=0.8, seeds=seeds)


@pytest.mark.parametrize(
    ("gaining", "losing", "tried", "seeds"),
    [(4, 4, 1, 1), (4, 4, 5, 1), (5, 4, 1, 1), (4, 4, 1, 2)],
)
def test_no_smaller_change_passes_the_rule(
    gaining: int, losing: int, tried: int, seeds: int
) -> None:
    levels = np.arange(seeds, -1, -1) * 100.0 / seeds
    smallest = min(
        (sum(gained) + sum(lost)) / (gaining + losing)
        for gained in combinations_with_replacement(levels, gaining)
        for lost in combinations_with_replacement(levels, losing)
        if passes(np.array(gained), np.array(lost), rules(tried, seeds))
    )
    assert possible(gaining, losing, rules(tried, seeds)).least == pytest.approx(smallest, abs=0.01)


@pytest.mark.parametrize("share", [0.3, 0.75, 1.0])
def test_the_power_is_that_of_all_outcomes(share: float) -> None:
    expected = 0.0
    for outcome in product((0, 1), repeat=8):
        changed = sum(outcome)
        # The order of the pieces says nothing; only its rounding would.
        gained, lost = (sorted(half, reverse=True) for half in (outcome[:4], outcome[4:]))
        if passes(100.0 * np.array(gained), 100.0 * np.array(lost), rules()):
            expected += share**changed * (1 - share) ** (8 - changed)
    assert power(share, 4, 4, rules()) == pytest.approx(expected)


def test_an_effect_as_large_is_found_as_often_as_said() -> None:
    found = possible(8, 8, rules(5))
    assert found.likely is not None
    assert power(found.likely / 100, 8, 8, rules(5)) >= POWER
    assert power((found.likely - 0.1) / 100, 8, 8, rules(5)) < POWER
    drawn = 100.0 * (np.random.default_rng(0).random((150, 16)) < found.likely / 100)
    share = np.mean([passes(clip[:8], clip[8:], rules(5)) for clip in drawn])
    assert share == pytest.approx(POWER, abs=0.12)


@pytest.mark.parametrize(
    ("gaining", "losing", "tried"), [(3, 13, 1), (0, 0, 1), (4, 0, 1), (4, 4, 100)]
)
def test_of_too_few_pieces_none_counts_however_large(gaining: int, losing: int, tried: int) -> None:
    row = possible(gaining, losing, rules(tried))
    assert (row.least, row.likely) == (None, None)
    assert not CLAIMS.can_show(gaining=gaining, losing=losing, tried=tried)


@pytest.mark.parametrize("each", range(2, 10))
@pytest.mark.parametrize("tried", [1, 5, 20])
def test_something_is_possible_exactly_where_the_claims_say_so(each: int, tried: int) -> None:
    row = possible(each, each, rules(tried))
    assert (row.least is not None) == CLAIMS.can_show(gaining=each, losing=each, tried=tried)


def test_more_pieces_show_less_and_more_candidates_ask_for_more() -> None:
    few, many, strict = (
        possible(8, 8, rules(1)),
        possible(20, 20, rules(1)),
        possible(8, 8, rules(20)),
    )
    assert many.least < few.least < strict.least  # type: ignore[operator]
    assert many.likely < few.likely < strict.likely  # type: ignore[operator]
    for row in (few, many, strict):
        assert 0 < row.least < row.likely <= 100  # type: ignore[operator]
    assert strict.level == 0.05 / 20
