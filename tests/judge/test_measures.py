"""NDCG, log-odds effect and divergence against their definitions and other implementations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax
from scipy.stats import entropy
from sklearn.metrics import ndcg_score

from leitmotif.errors import ModelError
from leitmotif.judge.measures import (
    kl_divergence,
    log_odds,
    log_odds_effect,
    ndcg,
    ndcg_of_chance,
    swapped,
)

numbers = st.floats(-30, 30)
few = st.integers(-3, 3).map(float)  # with many ties


@given(
    logits=arrays(float, (2, 7), elements=st.one_of(numbers, few)),
    wanted=st.sets(st.integers(0, 6), min_size=1),
)
def test_ndcg_is_scikit_learns(logits, wanted) -> None:
    truth = np.zeros((1, 7))
    truth[0, list(wanted)] = 1
    gains = ndcg(logits, wanted)
    for row, value in zip(logits, gains, strict=True):
        assert value == pytest.approx(ndcg_score(truth, row[np.newaxis]), abs=1e-9)
    assert ((gains > 0) & (gains <= 1 + 1e-12)).all()


def test_ndcg_by_hand() -> None:
    first, second, last = [3.0, 2, 1, 0], [2.0, 3, 1, 0], [0.0, 3, 2, 1]
    assert ndcg([first, second, last], [0]) == pytest.approx([1, 1 / np.log2(3), 1 / np.log2(5)])
    assert ndcg([first], [0, 1]) == pytest.approx([1])
    assert ndcg([[1.0, 1, 1, 1]], [2]) == pytest.approx([ndcg_of_chance(4, 1)])


def test_ndcg_of_chance_is_the_mean_over_random_rankings() -> None:
    rankings = np.random.default_rng(0).random((4000, 20))
    assert ndcg(rankings, [3, 11]).mean() == pytest.approx(ndcg_of_chance(20, 2), abs=0.01)


def test_log_odds_are_those_of_the_softmax() -> None:
    logits = np.random.default_rng(1).normal(0, 3, (5, 6))
    chances = softmax(logits, axis=1)[:, 2]
    assert log_odds(logits, 2) == pytest.approx(np.log(chances / (1 - chances)))
    certain = log_odds([[900.0, 0, 0]], 0)
    assert certain == pytest.approx([900 - np.log(2)]), "no overflow where p rounds to 1"


def test_the_effect_is_equation_1() -> None:
    random = np.random.default_rng(2)
    before, after = random.normal(0, 2, (2, 4, 6))

    def odds(logits: np.ndarray, label: int) -> np.ndarray:
        chances = softmax(logits, axis=1)[:, label]
        return chances / (1 - chances)

    expected = np.log(odds(before, 1) / odds(after, 1)) - np.log(odds(before, 4) / odds(after, 4))
    assert log_odds_effect(before, after, original=1, desired=4) == pytest.approx(expected)
    assert log_odds_effect(before, before, original=1, desired=4) == pytest.approx(0)
    better = before.copy()
    better[:, 4] += 1
    assert (log_odds_effect(before, better, original=1, desired=4) > 0).all()


@given(logits=arrays(float, (2, 3, 5), elements=numbers), shift=numbers)
def test_divergence_is_scipys_never_negative_and_blind_to_a_shift(logits, shift) -> None:
    before, after = logits
    divergences = kl_divergence(before, after)
    expected = entropy(softmax(before, axis=1), softmax(after, axis=1), axis=1)
    np.testing.assert_allclose(divergences, expected, atol=1e-9, rtol=1e-6)
    assert (divergences >= -1e-12).all()
    np.testing.assert_allclose(kl_divergence(before, after + shift), divergences, atol=1e-8)


def test_a_swap_moves_all_odds_and_keeps_the_rest() -> None:
    logits = np.array([[5.0, 1, 0, -1]])
    made = swapped(logits, 0, 2)
    np.testing.assert_array_equal(made, [[0, 1, 5, -1]])
    effect = log_odds_effect(logits, made, original=0, desired=2)
    assert effect == pytest.approx(2 * (log_odds(logits, 0) - log_odds(logits, 2)))
    assert kl_divergence(logits, made) > 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: ndcg([[1.0, 2]], []),
        lambda: ndcg([[1.0, 2]], [2]),
        lambda: ndcg([[1.0, 2]], [0, 0]),
        lambda: ndcg([1.0, 2], [0]),
        lambda: ndcg([[np.nan, 2]], [0]),
        lambda: ndcg(np.zeros((0, 3)), [0]),
        lambda: log_odds([[1.0, 2]], -1),
        lambda: log_odds([[1.0]], 0),
        lambda: kl_divergence([[1.0, 2]], [[1.0, 2], [3, 4]]),
        lambda: log_odds_effect([[1.0, 2]], [[1.0, 2, 3]], original=0, desired=1),
        lambda: swapped([[1.0, 2]], 1, 1),
    ],
)
def test_what_is_no_logits_or_no_label_is_refused(call) -> None:
    with pytest.raises(ModelError, match=r"expected:|to do:"):
        call()
