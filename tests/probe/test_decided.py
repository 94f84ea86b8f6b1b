"""Exchanges until every feature is decided: valid, enough, and the same however they are drawn."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from leitmotif.probe.estimators import decided as module
from leitmotif.probe.estimators.decided import (
    REACHED,
    ROUND,
    SURE,
    FirstRound,
    decided,
    exchanges_of,
    first_round,
)
from leitmotif.probe.estimators.nulls import studentised
from leitmotif.work.parallel import WORKERS

ALPHA = 0.05
FOLDS = ((0, 1, 2, 3, 4, 5), (6, 7, 8, 9, 10, 11), (12, 13, 14, 15, 16))


def scores(features: list, targets: list) -> np.ndarray:
    """Student's t of the products by track: [d]."""
    products = np.stack([X.T @ y[:, 0] for X, y in zip(features, targets, strict=True)])
    return np.abs(studentised(products.sum(axis=0), (products**2).sum(axis=0), len(products)))


def drawn(seed: int, d: int, *, planted: int = 0, strength: float = 4.0) -> tuple[list, list]:
    """Rows of 17 tracks as loud; the first ``planted`` features go with the target."""
    random = np.random.default_rng(seed)
    targets = [random.choice([-1.0, 1.0], size=(8, 1)) for _ in range(17)]
    features = [random.normal(size=(8, d)) for _ in range(17)]
    for X, y in zip(features, targets, strict=True):
        X[:, :planted] += strength * y
    return features, targets


def begun(features: list, targets: list, *, seed: int = 5) -> FirstRound:
    return first_round(features, targets, FOLDS, scores(features, targets), seed=seed)


def in_blocks(features: list, targets: list, width: int) -> list[FirstRound]:
    d = features[0].shape[1]
    return [begun([X[:, at : at + width] for X in features], targets) for at in range(0, d, width)]


def one_by_one(features: list, targets: list, exchanges: int) -> np.ndarray:
    """Whether each exchange reaches the observed statistic, with the same random numbers."""
    observed, hits = scores(features, targets), []
    for number in range(exchanges // ROUND):
        random = np.random.default_rng([5, number])
        orders = [
            random.permuted(np.tile(np.arange(len(fold)), (ROUND, 1)), axis=1) for fold in FOLDS
        ]
        for row in range(ROUND):
            whose = [fold[i] for fold, order in zip(FOLDS, orders, strict=True) for i in order[row]]
            hits.append(scores(features, [targets[i] for i in whose]) >= observed * (1 - 1e-9))
    return np.array(hits)


def test_p_values_are_those_of_exchanges_counted_one_by_one() -> None:
    features, targets = drawn(0, 6, planted=1, strength=0.4)
    p, made = decided([begun(features, targets)], alpha=ALPHA)
    hits = one_by_one(features, targets, 4 * ROUND)
    for feature in range(6):
        reaching = np.flatnonzero(hits[: made[feature], feature])
        if len(reaching) == REACHED:
            assert p[feature] == REACHED / made[feature]
            assert reaching[-1] + 1 == made[feature]
        else:
            assert p[feature] == REACHED / (made[feature] + REACHED - len(reaching))
            assert p[feature] <= ALPHA / 6


def test_few_exchanges_for_most_and_enough_for_the_planted() -> None:
    features, targets = drawn(1, 2000, planted=2)
    p, made = decided([begun(features, targets)], alpha=ALPHA)
    chosen = false_discovery_control(p) <= ALPHA
    assert chosen[:2].all()
    assert chosen.sum() == 2
    # With 1,000 exchanges, q would be 2000 / 1001 / 2 at least.
    assert made[:2].min() >= REACHED * 2000 / 2 / ALPHA / 2
    assert made[:2].max() < 2 * REACHED * 2000 / ALPHA
    assert np.median(made[2:]) < 5 * REACHED
    assert made[2:].sum() < 2000 * 2 * REACHED * (1 + np.log(made[0] / REACHED))


def test_a_feature_is_left_alone_once_it_is_certain() -> None:
    features, targets = drawn(2, 400, planted=40)
    p, made = decided([begun(features, targets)], alpha=ALPHA)
    q = false_discovery_control(p)
    assert (q[:40] <= SURE * ALPHA).all()
    assert made[:40].max() < REACHED * 400 / ALPHA


@pytest.mark.parametrize("width", [1, 7, 150])
def test_blocks_do_not_show(width: int) -> None:
    features, targets = drawn(3, 150, planted=3, strength=0.8)
    whole = decided([begun(features, targets)], alpha=ALPHA)
    parts = decided(in_blocks(features, targets, width), alpha=ALPHA)
    assert [values.tobytes() for values in parts] == [values.tobytes() for values in whole]


def test_processes_and_parts_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    features, targets = drawn(4, 900, planted=1)
    results = []
    for workers, part, together in ((1, 64, 512), (2, 3, 1)):
        monkeypatch.setenv(WORKERS, str(workers))
        monkeypatch.setattr(module, "ROUNDS_TOGETHER", part)
        monkeypatch.setattr(module, "FEATURES_TOGETHER", together if part != 64 else 512)
        results.append(decided([begun(features, targets)], alpha=ALPHA))
    assert [values.tobytes() for values in results[0]] == [
        values.tobytes() for values in results[1]
    ]


def test_a_statistic_that_every_exchange_reaches_has_p_1() -> None:
    features, targets = drawn(6, 3)
    for X in features:
        X[:, 1] = 0
    p, made = decided([begun(features, targets)], alpha=ALPHA)
    assert (p[1], made[1]) == (1, REACHED)


def test_without_a_link_p_values_are_valid_wherever_they_stop() -> None:
    features, targets = drawn(7, 3000, planted=1000)
    p, _ = decided([begun(features, targets)], alpha=0.2)
    null = p[1000:]
    for level in (0.01, 0.05, 0.1, 0.2, 0.5):
        error = 4 * np.sqrt(level * (1 - level) / len(null))
        assert (null <= level).mean() <= level + error


@pytest.mark.parametrize("planted", [0, 3, 40])
def test_as_many_exchanges_are_made_as_a_plan_says(
    planted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    d, made, hits = 400, 0, module.hits_of

    def counted(sizes: list, seed: int, cell: tuple) -> np.ndarray:
        nonlocal made
        made += cell[0].shape[1] * len(cell[2]) * ROUND
        return hits(sizes, seed, cell)

    monkeypatch.setenv(WORKERS, "1")
    monkeypatch.setattr(module, "hits_of", counted)
    decided([begun(*drawn(3, d, planted=planted, strength=1.0))], alpha=ALPHA)
    expected, most = exchanges_of(d, alpha=ALPHA)
    assert d * ROUND <= made <= most
    if not planted:
        assert made == pytest.approx(expected, rel=0.3)
    # A fixed number would have to choose a single feature among all.
    assert most < d * REACHED * d / ALPHA
