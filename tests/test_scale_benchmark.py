"""The planted-effect table in small: what is chosen among features of several blocks."""

import numpy as np

from benchmarks._sparse_panels import sparse_panel
from benchmarks.scale import CLAIMS, found, q_before, searched


def test_one_effect_among_thousands_is_chosen_which_fixed_permutations_could_not() -> None:
    made = sparse_panel(4_096, tracks=100, planted=1, strength=0.95, seed=3)
    ranked = searched(made)
    assert len(ranked) > 4_000
    assert found(made, ranked, np.array([feature.q for feature in ranked])) == (1, 0)
    assert found(made, ranked, q_before(ranked)) == (0, 0)
    first = ranked[0]
    assert (first.site, first.feature) in made.planted
    assert first.exchanges
    assert first.margin
    assert first.margin >= 1
    assert first.exchanges >= len(ranked) / CLAIMS.alpha


def test_planted_features_are_where_they_are_said_to_be() -> None:
    made = sparse_panel(600, tracks=20, planted=3, strength=0.95, seed=0)
    target = made.sample.y
    values = made.encoded[0].values.toarray()
    linked = [number for _, number in sorted(made.planted)]
    assert linked == [0, 299, 599]
    correlation = np.array([np.corrcoef(column, target)[0, 1] for column in values.T])
    assert set(np.argsort(correlation)[-3:].tolist()) == set(linked)
    assert 0.005 < (values > 0).mean() < 0.1
