"""Families of tests: which p-values count beside which, and how often one counts by chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from leitmotif.claims import Claims
from leitmotif.tables.interchange import InterchangeRow
from leitmotif.tables.interval import IntervalRow
from tests.tables.made import exchanged, probe

CLAIMS = Claims.of_horizons([[1, 3], [5, 7]], minimum_seconds=5.0, alpha=0.05)
P_VALUES = st.lists(st.none() | st.integers(1, 2000).map(lambda n: n / 2000), max_size=12)


def counting(sure: list[float | None]) -> list[bool]:
    """By the claims: each against those that do not count beside it."""
    over = CLAIMS.corrected_over(sure)
    return [p is not None and p <= CLAIMS.level(tests) for p, tests in zip(sure, over, strict=True)]


def by_holm(sure: list[float | None]) -> list[bool]:
    """By the textbook: adjusted p-values, each the largest step up to its own."""
    p = np.array([1.0 if value is None else value for value in sure])
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    passes = adjusted <= CLAIMS.alpha * (1 + 1e-12)
    return [value is not None and bool(x) for value, x in zip(sure, passes, strict=True)]


@given(P_VALUES)
def test_what_counts_is_what_holm_says(sure: list[float | None]) -> None:
    assert counting(sure) == by_holm(sure)


@given(P_VALUES)
def test_all_that_counts_over_all_tests_counts_and_without_it_nothing_does(
    sure: list[float | None],
) -> None:
    """So no model has a carrier by the steps that it would not have by the first of them."""
    whole = [p is not None and p <= CLAIMS.level(len(sure)) for p in sure]
    stepped = counting(sure)
    assert all(counts for counts, before in zip(stepped, whole, strict=True) if before)
    assert any(stepped) == any(whole)


@given(P_VALUES, st.integers(0, 11))
def test_a_test_that_is_refused_never_eases_another(sure: list[float | None], number: int) -> None:
    if number < len(sure):
        refused = [*sure[:number], None, *sure[number + 1 :]]
        for counts, before in zip(counting(refused), counting(sure), strict=True):
            assert before or not counts


@pytest.mark.parametrize("true", [0, 3, 8])
@pytest.mark.parametrize("together", [0.0, 0.7])
def test_one_false_statement_in_a_family_is_as_rare_as_stated(true: int, together: float) -> None:
    """Of nine tests some are of effects; the others count by chance, alone or together."""
    random = np.random.default_rng([true, int(10 * together)])
    shared = random.normal(size=(500, 1))
    drawn = np.sqrt(together) * shared + np.sqrt(1 - together) * random.normal(size=(500, 9))
    p = 2 * norm.sf(abs(drawn + np.r_[np.full(true, 6.0), np.zeros(9 - true)]))
    false = np.mean([any(counting(row)[true:]) for row in p.tolist()])
    assert false <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 500)


def test_of_sites_the_surest_is_held_to_all_and_the_next_to_one_fewer() -> None:
    above, around = (IntervalRow(mean=0.5, low=low, high=0.9) for low in (0.1, -0.1))
    rows = [
        probe(site=f"layers.{n}.residual", p=p, partial_r2=above, over_random_weights=None)
        for n, p in enumerate([0.012, 0.016, 0.03, 0.6])
    ]
    assert CLAIMS.decodable(rows) == rows[:2]
    # The surest is no step where its interval refuses it.
    assert CLAIMS.decodable([rows[0].model_copy(update={"partial_r2": around}), *rows[1:]]) == []


def test_of_leads_the_surest_is_held_to_all_and_the_next_to_one_fewer() -> None:
    """By the larger of both p-values; leads that may carry no claim are no steps of those."""

    def row(number: int, p: float, by_control: float, **changed: object) -> InterchangeRow:
        made = exchanged(site=f"layers.{number}.residual", after=5.0, **changed)
        assert made.over_control is not None
        return made.model_copy(
            update={
                "nats": made.nats.model_copy(update={"p": p}),
                "over_control": made.over_control.model_copy(update={"p": by_control}),
            }
        )

    rows = [row(1, 0.012, 0.0001), row(2, 0.0001, 0.016), row(3, 0.03, 0.03), row(4, 0.6, 0.6)]
    both = {"layers.1.residual": 5.0, "layers.2.residual": 5.0}
    assert CLAIMS.leads(rows, model="planner") == both
    near = [each.model_copy(update={"after": 3.0}) for each in rows[2:]]
    assert CLAIMS.leads([*rows, *near], model="planner") == both
    # The surest is no step where it is a little thing.
    little = row(1, 0.012, 0.0001, share=0.05)
    assert CLAIMS.leads([little, *rows[1:]], model="planner") == {}
