"""Which features are taken, and which would be if the nearest changed sides."""

import pytest

from leitmotif.causal.approaches.selection import FeatureSelection
from leitmotif.claims import Claims
from leitmotif.tables.candidates import Ranked

A, B = "layers.0.residual", "layers.1.residual"


def claims(alpha: float = 0.05) -> Claims:
    return Claims.of_horizons([[5, 7]], minimum_seconds=5, alpha=alpha)


def ranked(*features: tuple[str, float, float]) -> list[Ranked]:
    """Features numbered in the order given: site, q, effect."""
    return [
        Ranked(
            site=site,
            hook=None,
            feature=number,
            horizon="5-7s",
            effect=effect,
            low=effect,
            high=effect,
            p=q,
            q=q,
            p_shift=q,
            stability=1.0,
        )
        for number, (site, q, effect) in enumerate(features)
    ]


def numbers(taken: dict[str, list[Ranked]]) -> dict[str, list[int]]:
    return {site: [feature.feature for feature in of_site] for site, of_site in taken.items()}


FEATURES = ranked(
    (A, 0.01, 0.9),
    (B, 0.01, 0.8),
    (B, 0.02, 0.7),
    (B, 0.04, -0.6),
    (A, 0.06, 0.5),
    (A, 0.50, 0.1),
)


def test_the_site_with_most_of_the_surest_comes_first() -> None:
    selection = FeatureSelection(FEATURES, claims=claims(), surest=10, together=2)
    assert numbers(selection.taken()) == {B: [1, 2], A: [0]}
    assert [*selection.taken()] == [B, A]
    assert selection.lead() == 2
    assert FeatureSelection(FEATURES, claims=claims(), surest=3, together=2).lead() == 1
    assert FeatureSelection(FEATURES[:1], claims=claims(), surest=3, together=2).lead() is None
    assert FeatureSelection(FEATURES, claims=claims(0.001), surest=3, together=2).taken() == {}


def test_at_the_level_the_nearest_feature_leaves_or_enters() -> None:
    """0.06 is a fifth above 0.05, and 0.04 a fifth below; 0.055 is nearer than either."""
    near = [*FEATURES[:4], *ranked(*[(A, 0.055, 0.5)] * 5)[4:]]
    selection = FeatureSelection(near, claims=claims(), surest=10, together=9)
    distance, taken = selection.otherwise(B)
    assert distance == pytest.approx(0.1)
    assert numbers(taken) == {B: [1, 2, 3], A: [0, 4]}
    far = [*FEATURES[:4], *ranked(*[(A, 0.09, 0.5)] * 5)[4:]]
    distance, taken = FeatureSelection(far, claims=claims(), surest=10, together=9).otherwise(B)
    assert distance == pytest.approx(0.2)
    assert numbers(taken) == {B: [1, 2], A: [0]}


def test_at_the_number_of_surest_features_two_change_places() -> None:
    selection = FeatureSelection(FEATURES, claims=claims(), surest=2, together=9)
    distance, taken = selection.otherwise(A)
    assert distance == pytest.approx(0.5), "0.01 against 0.02"
    assert numbers(taken) == {A: [0], B: [2]}


def test_at_the_number_taken_of_a_site_two_of_it_change_places() -> None:
    same = ranked((A, 0.01, 0.9), (B, 0.01, 0.8), (B, 0.01, 0.76), (A, 0.2, 0.1))
    selection = FeatureSelection(same, claims=claims(), surest=9, together=1)
    distance, taken = selection.otherwise(B)
    assert distance == pytest.approx(0.05), "0.76 against 0.8"
    assert numbers(taken) == {B: [2], A: [0]}
    # For site a there is no such border; the nearest feature leaves the surest ones.
    assert selection.otherwise(A)[0] == pytest.approx(0.8)
    assert numbers(selection.otherwise(A)[1]) == {A: [0], B: [1]}


def test_ranked_by_effect_alone_the_effect_tells_how_near_two_are() -> None:
    features = ranked((A, 1e-40, 0.9), (A, 1e-30, 0.89))
    by_q = FeatureSelection(features, claims=claims(), surest=9, together=1)
    by_effect = FeatureSelection(features, claims=claims(), surest=9, together=1, by_effect=True)
    assert by_q.otherwise(A)[0] == pytest.approx(1)
    assert by_effect.otherwise(A)[0] == pytest.approx(1 / 90)


def test_where_nothing_is_left_out_the_last_may_leave() -> None:
    selection = FeatureSelection(FEATURES[:1], claims=claims(), surest=9, together=9)
    assert selection.otherwise(A) == (pytest.approx(0.8), {})
