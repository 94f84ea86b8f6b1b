import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.probe.estimators.nulls import (
    exchanged,
    exchanges,
    p_value,
    pair_products,
    shift_products,
    shifted,
)

RANDOM = np.random.default_rng(0)


def test_exchanges_are_permutations_and_begin_with_none() -> None:
    for size, order in zip([4, 5], exchanges([4, 5], 50, seed=1), strict=True):
        assert order.shape == (51, size)
        assert order[0].tolist() == list(range(size))
        assert (np.sort(order, axis=1) == np.arange(size)).all()
    first = exchanges([4], 4000, seed=2)[0][1:, 0]
    assert np.bincount(first) / 4000 == pytest.approx([0.25] * 4, abs=0.03)


@given(
    lengths=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    d=st.integers(1, 3),
    H=st.integers(1, 2),
)
def test_exchanged_products_are_those_of_exchanged_targets(lengths, d, H) -> None:
    features = [RANDOM.normal(size=(T, d)) for T in lengths]
    targets = [RANDOM.normal(size=(T, H)) for T in lengths]
    products = pair_products(features, targets)
    order = exchanges([len(lengths)], 5, seed=0)[0]
    fast = exchanged(products, order)
    for sums, whose in zip(fast, order, strict=True):
        slow = np.zeros((d, H))
        for X, other in zip(features, whose, strict=True):
            shared = min(len(X), len(targets[other]))
            slow += X[:shared].T @ targets[other][:shared]
        assert sums == pytest.approx(slow)


@given(T=st.integers(1, 9), d=st.integers(1, 3), H=st.integers(1, 2))
def test_shift_products_are_those_of_rolled_features(T, d, H) -> None:
    X, Y = RANDOM.normal(size=(T, d)), RANDOM.normal(size=(T, H))
    products = shift_products(X, Y)
    for lag in range(T):
        assert products[lag] == pytest.approx(np.roll(X, lag, axis=0).T @ Y)


def test_shifts_begin_with_none_and_are_uniform_over_the_track() -> None:
    X = np.eye(7)
    (scores,) = shifted([X], [np.arange(7.0)[:, None]], shifts=3000, seed=0)
    assert scores[0, :, 0].tolist() == pytest.approx(list(range(7)))
    # Column 0 of the identity, shifted by s, meets the target's value s.
    lags = np.round(scores[1:, 0, 0]).astype(int)
    assert np.bincount(lags, minlength=7) / 3000 == pytest.approx([1 / 7] * 7, abs=0.03)


def test_p_values_count_the_observed_arrangement_and_ties() -> None:
    null = np.array([0.0, 1.0, 2.0, 3.0])
    assert p_value(null, np.array(2.0)) == pytest.approx(3 / 5)
    assert p_value(null, np.array(9.0)) == pytest.approx(1 / 5)
    assert p_value(null, np.array(2.0 * (1 + 1e-13))) == pytest.approx(3 / 5)
