"""Effects and precision against the paper's equations, and what exceeds controls."""

from itertools import permutations

import numpy as np
import pytest

from leitmotif.intervals import sign_flip_p
from leitmotif.judge.measures import kl_divergence, log_odds_effect
from leitmotif.lens.effects import (
    SwapEffects,
    averaged,
    cell_fields,
    clustered,
    excess_p,
    heard,
    ideal_precision,
    joined,
    measured,
)

RANDOM = np.random.default_rng(0)
BEFORE, AFTER = RANDOM.normal(size=(2, 8, 6))
KNOWN = [4, 1, 2]


def of(*effects: float, divergence: float = 1.0) -> SwapEffects:
    values = np.array(effects)
    return SwapEffects(values / 4, values * 3 / 4, np.full(len(values), divergence))


def test_effect_and_precision_are_those_of_the_paper() -> None:
    found = measured(heard(BEFORE, BEFORE, KNOWN), heard(BEFORE, AFTER, KNOWN), 1, 0)
    expected = log_odds_effect(BEFORE, AFTER, original=1, desired=4)
    np.testing.assert_allclose(found.effect, expected, atol=1e-12)
    row = found.row()
    assert row.effect.mean == pytest.approx(expected.mean(), abs=1e-4)
    assert row.effect.mean == pytest.approx(row.original.mean + row.desired.mean, abs=1e-4)
    assert row.precision.mean == pytest.approx(-kl_divergence(BEFORE, AFTER).mean(), abs=1e-4)
    assert row.effect.low < row.effect.mean < row.effect.high
    assert row.effect.n == 8
    assert row.effect.p == pytest.approx(sign_flip_p(expected), abs=1e-3)
    assert row.precision.p is None, "a change of the sound always costs something"


def test_what_did_not_change_has_exactly_no_effect() -> None:
    same = heard(BEFORE, BEFORE, KNOWN)
    row = measured(same, same, 0, 1).row()
    for part in (row.effect, row.original, row.desired, row.precision):
        assert (part.mean, part.low, part.high) == (0.0, 0.0, 0.0)
        assert not np.signbit(part.mean)


def test_a_perfect_swap_exchanges_two_probabilities() -> None:
    logits = np.log([[0.5, 0.2, 0.3]])
    flipped = 0.5 * np.log(0.5 / 0.2) + 0.2 * np.log(0.2 / 0.5)
    assert ideal_precision(logits, 0, 1) == pytest.approx(-flipped)
    assert ideal_precision(logits, 1, 0) == pytest.approx(-flipped)


def test_pairs_are_clusters_that_count_alike() -> None:
    clusters = [{"swap": of(1.0, 3.0), "itself": of(0.0, 0.0)}, {"swap": of(6.0)}]
    pooled = clustered(clusters)
    assert set(pooled) == {"swap"}, "a control that one pair lacks is left out"
    assert pooled["swap"].effect.tolist() == [2.0, 6.0]
    assert clustered(clusters[:1]) == clusters[0]
    assert joined([of(1.0), of(2.0, 3.0)]).effect.tolist() == [1.0, 2.0, 3.0]
    assert averaged([of(1.0, 2.0), of(3.0, 6.0)]).effect.tolist() == [2.0, 4.0]


def test_an_effect_is_compared_with_its_strongest_control() -> None:
    swap = of(*np.linspace(4.0, 6.0, 10))
    fields = cell_fields({"swap": swap, "itself": of(*[0.0] * 10), "mixed": of(*[3.0] * 10)})
    assert fields["strongest"] == "mixed"
    assert fields["excess"].mean == pytest.approx(2.0)
    assert fields["excess"].p == pytest.approx(2 / 2**10, abs=1e-5)
    assert list(fields["controls"]) == ["itself", "mixed"]
    alone = cell_fields({"swap": swap})
    assert (alone["strongest"], alone["excess"], alone["controls"]) == (None, None, {})


def test_an_effect_has_to_exceed_every_control() -> None:
    swap, none = of(*np.linspace(4.0, 6.0, 10)), of(*[0.0] * 10)
    assert excess_p({"swap": swap, "itself": none}) == pytest.approx(2 / 2**10)
    assert excess_p({"swap": swap, "itself": none, "random": of(*[5.5] * 10)}) == 1.0
    above_nine = of(*np.linspace(3.0, 5.0, 9), 9.0)
    p = excess_p({"swap": swap, "itself": none, "mixed": above_nine})
    assert p is not None
    assert 2 / 2**10 < p < 1.0
    assert excess_p({"swap": swap}) is None
    assert excess_p({"swap": none, "itself": none}) == 1.0


def test_an_effect_that_is_as_large_below_a_control_is_no_finding() -> None:
    """Two-sided p-values alone would count it."""
    assert excess_p({"swap": of(*[-5.0] * 10), "itself": of(*[0.0] * 10)}) == 1.0


def test_without_any_effect_few_cells_exceed_all_their_controls() -> None:
    """Pairs share the clips of two controls with other pairs, so one control is not enough."""
    random = np.random.default_rng(0)
    pairs = list(permutations(range(4), 2))

    def drawn(*, shared: bool) -> SwapEffects:
        if shared:
            by_original = random.normal(size=4)
            return of(*(by_original[original] for original, _ in pairs))
        return of(*random.normal(size=len(pairs)))

    found = {"all": 0, "itself": 0}
    for _ in range(200):
        swap, itself = drawn(shared=False), drawn(shared=True)
        p = excess_p({"swap": swap, "itself": itself})
        found["itself"] += p is not None and p <= 0.05
        p = excess_p(
            {
                "swap": swap,
                "itself": itself,
                "redrawn": drawn(shared=True),
                "mixed": drawn(shared=False),
                "random": drawn(shared=False),
            }
        )
        found["all"] += p is not None and p <= 0.05
    assert found["all"] <= 10
    assert found["itself"] > 10
