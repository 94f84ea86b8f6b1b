"""Layers compared: what CKA must not see, what it must see, and that it is not biased."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ortho_group

from leitmotif.errors import ProbeError
from leitmotif.lens.similarity import layer_cka, layer_distances, time_averaged

Array = NDArray[np.float64]


def noise(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


@given(seed=st.integers(0, 10**6), debiased=st.booleans(), scale=st.floats(0.1, 10))
def test_a_layer_turned_moved_and_scaled_is_the_same(
    seed: int, debiased: bool, scale: float
) -> None:
    x = noise(seed, 12, 5)
    turned = scale * x @ ortho_group.rvs(5, random_state=seed) + noise(seed + 1, 5)
    cka = layer_cka([x, turned], debiased=debiased)
    assert cka == pytest.approx(np.ones((2, 2)), abs=1e-9)


def test_of_few_prompts_in_many_dimensions_only_the_debiased_estimator_tells_noise_apart() -> None:
    values = {
        debiased: np.mean(
            [layer_cka(noise(n, 2, 100, 1024), debiased=debiased)[0, 1] for n in range(5)]
        )
        for debiased in (False, True)
    }
    assert values[False] > 0.85
    assert abs(values[True]) < 0.02


def test_the_plain_estimator_is_that_of_the_definition() -> None:
    x, y = noise(1, 30, 4), noise(2, 30, 4)
    x, y = x - x.mean(0), y - y.mean(0)
    expected = np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    assert layer_cka([x, y], debiased=False)[0, 1] == pytest.approx(expected)


def test_the_unbiased_hsic_has_the_mean_that_the_population_has() -> None:
    """Of two layers that share one of three directions: over draws it is the true ratio."""
    found = []
    for n in range(300):
        shared = noise(3 * n, 20, 1)
        x = np.concatenate([shared, noise(3 * n + 1, 20, 2)], 1)
        y = np.concatenate([shared, noise(3 * n + 2, 20, 2)], 1)
        found.append(layer_cka([x, y])[0, 1])
    # HSIC of linear kernels is the squared norm of the covariance: 1 of 3 x 3.
    assert np.mean(found) == pytest.approx(1 / 3, abs=0.03)


@given(seed=st.integers(0, 10**6))
def test_similarity_is_symmetric_and_distances_obey_the_triangle(seed: int) -> None:
    x = noise(seed, 4, 6, 3)
    cka, apart = layer_cka(x), layer_distances(x)
    assert cka == pytest.approx(cka.T)
    assert np.diag(cka) == pytest.approx(np.ones(4))
    assert np.diag(apart) == pytest.approx(np.zeros(4))
    assert apart == pytest.approx(apart.T)
    assert (apart[0, 2] <= apart[0, 1] + apart[1, 2] + 1e-12).all()


def test_distances_are_means_over_prompts() -> None:
    x = np.array([[[0.0, 0.0], [0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]]])
    assert layer_distances(x).tolist() == [[0.0, 3.0], [3.0, 0.0]]


@pytest.mark.parametrize("debiased", [False, True])
@pytest.mark.parametrize("same", [0.0, 1 / 3, 1e9])
def test_a_layer_that_says_the_same_to_all_has_no_similarity(same: float, debiased: bool) -> None:
    cka = layer_cka([np.full((6, 2), same), noise(1, 6, 2)], debiased=debiased)
    assert np.isnan(cka[0]).all()
    assert cka[1, 1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    "means", [np.zeros((2, 3, 4)), np.zeros((2, 8)), np.full((2, 8, 3), np.nan)]
)
def test_what_cannot_be_compared_is_refused(means: Array) -> None:
    with pytest.raises(ProbeError, match="cannot be compared"):
        layer_cka(means)


def test_outputs_are_averaged_over_time() -> None:
    assert time_averaged([np.arange(12.0).reshape(2, 3, 2)]).tolist() == [[[2, 3], [8, 9]]]
