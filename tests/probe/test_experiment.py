"""The measures of an experiment, on made rows of which the truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import false_discovery_control
from sklearn.linear_model import LinearRegression

from leitmotif.claims import Claims, Horizon
from leitmotif.intervals import Interval, sign_flip_p
from leitmotif.probe.estimators.experiment import (
    ProbeSettings,
    expanded,
    naive,
    over_baseline,
    probe_sites,
    selectivities,
    worth_of_controls,
)
from leitmotif.probe.features.blocks import FeatureBlock
from leitmotif.probe.inputs.controls import ControlTable, Position
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.inputs.rows import Rows, Sample
from leitmotif.probe.ranking import candidates
from leitmotif.timing.frames import Timing
from leitmotif.work.parallel import WORKERS
from tests.probe.made import made

STRONG = 3.0
PROBING = ProbeSettings(folds=4, permutations=199, shifts=99, alpha=0.05, seeds=2, seed=0)
SETTINGS = ControlSettings([Position()], knots=2, interactions=0)
CLAIMS = Claims.of_horizons([[5, 7]], minimum_seconds=5, alpha=PROBING.alpha)


def sampled(planted: float) -> tuple[dict[str, np.ndarray], Sample]:
    data = made(3, tracks=32, length=20, d=6, planted=planted)
    random = np.random.default_rng(1)
    features = {
        "layers.0.residual": np.column_stack([random.normal(size=data.X.shape), np.ones(640)]),
        "layers.1.residual": data.X,
    }
    table = ControlTable(data.Z, ["local_energy.last", "position.seconds"], [])
    rows = Rows([], data.groups, np.asarray(data.y).reshape(-1, 1), table, Timing(50, 0.074))
    return features, rows.sample([Horizon("5-7s", 5, 7)], 0)


def test_what_is_planted_is_found_at_its_site_and_ranked_first() -> None:
    features, sample = sampled(planted=STRONG)
    fits = probe_sites(features, [sample], SETTINGS, PROBING)
    here, there = (fits[site]["5-7s"] for site in ("layers.1.residual", "layers.0.residual"))
    assert here.p <= 0.02
    assert there.p > 0.05
    assert here.partial_r2.low > 0 > there.partial_r2.low
    blocks = [
        FeatureBlock(site, None, np.arange(values.shape[1]), values)
        for site, values in features.items()
    ]
    ranked = candidates(blocks, sample, SETTINGS, PROBING, CLAIMS)
    assert len(ranked) == 6 + 6  # a constant feature is left out
    assert (ranked[0].site, ranked[0].feature) == ("layers.1.residual", 0)
    assert ranked[0].q <= 0.05
    assert ranked[0].stability == 1
    assert all(feature.q >= feature.p for feature in ranked)
    # 4 folds of 2 splits each; what has no effect has now one sign and now the other.
    assert all((8 * feature.stability).is_integer() for feature in ranked)
    others = [feature.stability for feature in ranked if feature.p > 0.2]
    assert 0.4 < np.mean(others) < 0.95


def test_the_difference_to_a_baseline_is_that_of_the_partial_r2() -> None:
    features, sample = sampled(planted=STRONG)
    fits = probe_sites(features, [sample], SETTINGS, PROBING)
    same = {"layers.1.residual": fits["layers.1.residual"]}
    other = {"layers.1.residual": fits["layers.0.residual"]}
    over_baseline(same, other, seed=0)
    fit, there = same["layers.1.residual"]["5-7s"], other["layers.1.residual"]["5-7s"]
    assert fit.over_random_weights
    assert fit.over_random_weights.mean == pytest.approx(
        fit.partial_r2.mean - there.partial_r2.mean
    )
    assert fit.over_random_weights.low > 0
    assert fit.p_over_random_weights == sign_flip_p(there.by_all - fit.by_all) < 0.01
    over_baseline(same, same, seed=0)
    none = same["layers.1.residual"]["5-7s"]
    assert (none.over_random_weights, none.p_over_random_weights) == (Interval(0, 0, 0), 1.0)


def test_leaving_a_control_out_changes_what_the_others_explain() -> None:
    features, sample = sampled(planted=0.0)
    worth = worth_of_controls(features["layers.1.residual"], sample, SETTINGS, PROBING)
    assert [row.left_out for row in worth] == ["none", "local_energy", "position"]
    assert worth[0].r2_controls > min(row.r2_controls for row in worth)
    wide, narrow = expanded(sample, SETTINGS), expanded(sample, SETTINGS, without="position")
    assert narrow.shape[1] < wide.shape[1]


def test_the_naive_row_and_the_control_task_are_there_for_comparison() -> None:
    features, sample = sampled(planted=STRONG)
    pooled = naive(features, sample.y, sample.groups)
    assert pooled["layers.1.residual"].r2 > pooled["layers.0.residual"].r2
    at = np.concatenate([np.arange(track.stop - track.start) for track in sample.tracks])
    own_mean = LinearRegression().fit(np.eye(at.max() + 1)[at], sample.y)
    expected = own_mean.score(np.eye(at.max() + 1)[at], sample.y)
    assert {row.r2_place for row in pooled.values()} == {round(expected, 4)}
    measured = selectivities(features, sample, PROBING)["layers.1.residual"]
    assert measured.selectivity == pytest.approx(measured.r2 - measured.r2_control_task, abs=2e-4)


def blocks(features: dict[str, np.ndarray]) -> list[FeatureBlock]:
    return [
        FeatureBlock(site, None, np.arange(6), X[:, :6], "", np.arange(6))
        for site, X in features.items()
    ]


def test_a_margin_is_what_p_could_be_multiplied_by() -> None:
    features, sample = sampled(planted=0.8)
    ranked = candidates(blocks(features), sample, SETTINGS, PROBING, replace(CLAIMS, alpha=0.3))
    p = np.array([feature.p for feature in ranked])
    chosen = np.array([feature.q <= 0.3 for feature in ranked])
    assert 0 < chosen.sum() < len(chosen)

    def passes(number: int, factor: float) -> bool:
        changed = p.copy()
        changed[number] = min(1, changed[number] * factor)
        return bool(false_discovery_control(changed)[number] <= 0.3)

    for number, feature in enumerate(ranked):
        assert feature.margin
        assert (feature.margin >= 1) == chosen[number]
        assert feature.active == feature.feature
        assert passes(number, feature.margin * 0.999)
        assert not passes(number, feature.margin * 1.001) or p[number] * feature.margin >= 1


def test_several_processes_find_what_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    features, sample = sampled(planted=STRONG)

    def measured() -> list[object]:
        fits = probe_sites(features, [sample, sample], SETTINGS, PROBING)
        errors = [
            fit.by_all.tolist() for by_horizon in fits.values() for fit in by_horizon.values()
        ]
        worth = worth_of_controls(features["layers.1.residual"], sample, SETTINGS, PROBING)
        return [errors, worth, candidates(blocks(features), sample, SETTINGS, PROBING, CLAIMS)]

    alone = measured()
    monkeypatch.setenv(WORKERS, "2")
    assert measured() == alone
