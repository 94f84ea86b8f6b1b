"""The random features beside a candidate: like it, never it, and always the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.causal.experiment.matching import TOLERANCE, match
from leitmotif.errors import ModelError


@given(seed=st.integers(0, 2**32), feature=st.integers(0, 199), count=st.integers(1, 3))
def test_matches_are_near_and_others(seed: int, feature: int, count: int) -> None:
    random = np.random.default_rng(seed)
    rate, norm = np.exp(random.normal(size=(2, 200)) * 0.3)
    rate[random.integers(200, size=40)] = 0.0
    rate[feature] = 1.0
    norm[feature] = 1.0
    properties = {"rate": rate, "norm": norm}
    excluded = [(feature + 1) % 200]
    matched = match(feature, properties, count=count, seed=seed, exclude=excluded)
    assert matched == match(feature, properties, count=count, seed=seed, exclude=excluded)
    assert len(set(matched.features)) == count <= matched.pool
    assert not {feature, *excluded} & set(matched.features)
    for other, distance in zip(matched.features, matched.distances, strict=True):
        assert distance <= TOLERANCE
        expected = np.sqrt(np.mean([np.log(rate[other]) ** 2, np.log(norm[other]) ** 2]))
        assert distance == pytest.approx(expected)


def test_without_a_match_it_says_how_far_the_nearest_is() -> None:
    rate = np.array([1.0, np.e, np.e**2])
    with pytest.raises(ModelError, match=r"0 within 0.5; number 1 is 1 away"):
        match(0, {"rate": rate}, count=1, seed=0)
    with pytest.raises(ModelError, match="finite properties"):
        match(0, {"rate": np.array([0.0, 1.0])}, count=1, seed=0)
    with pytest.raises(ModelError, match="no properties"):
        match(3, {"rate": rate}, count=1, seed=0)
