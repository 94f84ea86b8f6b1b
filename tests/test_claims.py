"""What may be claimed: the rules, their families, and settings with which nothing could be."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from scipy.stats import false_discovery_control

from leitmotif.causal.experiment.effects import chosen_apart
from leitmotif.claims import (
    LEAST_EACH_WAY,
    Claims,
    Horizon,
    exceeds_controls,
    excludes_zero,
    is_above_zero,
)
from leitmotif.config import parse_params
from leitmotif.errors import ConfigError, ProbeError
from leitmotif.intervals import Interval, bounded_mean, sign_flip_p
from leitmotif.tables.interval import IntervalRow
from leitmotif.tables.probes import ProbeRow
from tests.tables.made import exchanged, probe, ranked

NEAR, FAR, FURTHER = [1.0, 3.0], [5.0, 7.0], [8.0, 9.0]


def claims(*horizons: Sequence[float], minimum: float = 5.0, alpha: float = 0.05) -> Claims:
    return Claims.of_horizons(horizons or (NEAR, FAR), minimum_seconds=minimum, alpha=alpha)


def interval(low: float) -> IntervalRow:
    return IntervalRow(mean=0.5, low=low, high=0.9)


def cell(p: float, low: float = 0.1, over: float | None = None, **changed: Any) -> ProbeRow:
    beyond = None if over is None else interval(over)
    return probe(p=p, partial_r2=interval(low), over_random_weights=beyond, **changed)


def elsewhere(p: float = 1.0, **changed: Any) -> ProbeRow:
    return cell(p, -1.0, site="layers.3.residual", **changed)


@pytest.mark.parametrize(
    ("made", "decodable"),
    [
        (cell(0.01, 0.1, 0.1), True),
        (cell(0.01, 0.1), True),
        (cell(0.025, 0.1), True),
        (cell(0.03, 0.1, 0.1), False),
        (cell(0.01, -0.1, 0.1), False),
        (cell(0.01, 0.1, -0.1), False),
    ],
)
def test_a_site_is_decodable_by_p_over_its_family_and_by_both_intervals(
    made: ProbeRow, decodable: bool
) -> None:
    rows = [made, elsewhere()]
    assert claims().decodable(rows) == ([made] if decodable else [])
    assert (claims().foresight(rows) is made) is decodable
    assert claims(minimum=1.0).foresight(rows) == (made if decodable else None)
    assert claims(NEAR, FURTHER, minimum=6.0).foresight(rows) is None, "it is no claim's horizon"


@given(st.integers(0, 8), st.floats(0.0, 1.0))
def test_nearer_horizons_do_not_weaken_a_claim(nearer: int, p: float) -> None:
    made = cell(p)
    alone = claims().decodable([made, elsewhere()])
    beside = [elsewhere(after=float(after)) for after in range(min(nearer, 5))]
    assert claims().decodable([made, elsewhere(), *beside]) == alone


@pytest.mark.parametrize(
    ("exchanges", "sites", "low", "over", "least"),
    [
        (199, 5, 0.45, None, 0.197),  # 1 % of 200 arrangements: the second largest
        (199, 1, 0.45, None, 0.189),  # 5 % of them: the tenth largest
        (199, 5, 0.20, None, 0.3),  # an interval that reaches 0.3 down
        (199, 5, 0.45, 0.1, 0.4),
        (99, 5, 0.45, None, 0.098),
        (98, 5, 0.45, None, None),
        (0, 1, 0.45, None, None),
    ],
)
def test_a_probe_can_show_what_chance_and_its_interval_do_not_reach(
    exchanges: int, sites: int, low: float, over: float | None, least: float | None
) -> None:
    null = [number / 1000 for number in range(exchanges)]
    probed = Interval(0.5, low, 0.6)
    beyond = None if over is None else Interval(0.4, over, 0.6)
    reached = claims().least_decodable(null, probed, beyond, after=5.0, sites=sites)
    assert reached == (None if least is None else pytest.approx(least))


def test_near_horizons_are_a_family_of_their_own() -> None:
    near = cell(0.02, after=1.0)
    assert claims().decodable([near, elsewhere(after=1.0), elsewhere()]) == [near]
    third = [elsewhere(after=1.0), elsewhere(after=2.0)]
    assert claims().decodable([near, *third, elsewhere()]) == []
    assert claims().foresight([near]) is None


def test_of_several_sites_the_one_that_shows_most_is_named() -> None:
    more = IntervalRow(mean=0.7, low=0.6, high=0.8)
    rows = [cell(0.01), probe(site="layers.3.residual", p=0.01, partial_r2=more)]
    assert claims().foresight(rows) is rows[1]


def test_the_claimed_horizon_is_the_nearest_that_is_far_enough() -> None:
    rules = claims(FURTHER, NEAR, FAR)
    assert [horizon.name for horizon in rules.horizons] == ["1-3s", "5-7s", "8-9s"]
    assert rules.claimed == Horizon("5-7s", 5, 7)
    assert rules.nearest == Horizon("1-3s", 1, 3)
    assert claims(FURTHER, FAR, minimum=7.0).claimed.name == "8-9s"


def test_without_a_far_horizon_there_is_no_claimed_one() -> None:
    with pytest.raises(ConfigError, match=r"1-3s(?s:.)*at least 5 s(?s:.)*later horizon"):
        claims(NEAR)


@given(st.integers(1, 40), st.integers(1, 5), st.sampled_from([0.001, 0.01, 0.05, 0.1]))
def test_so_many_permutations_suffice_and_fewer_do_not(
    sites: int, horizons: int, alpha: float
) -> None:
    far = [[5.0 + number, 6.0 + number] for number in range(horizons)]
    rules = claims(NEAR, *far, alpha=alpha)
    needed, level = rules.permutations_needed(sites=sites), rules.level(sites * horizons)
    assert 1 / (needed + 1) <= level * (1 + 1e-9)
    assert 1 / needed > level


@given(st.integers(1, 200), st.sampled_from([0.001, 0.01, 0.05, 0.1]))
def test_so_many_pieces_suffice_and_fewer_do_not(tried: int, alpha: float) -> None:
    rules = claims(alpha=alpha)
    needed, level = rules.pieces_needed(tried=tried), rules.level(tried)
    assert 2.0 ** (1 - needed) <= level * (1 + 1e-9)
    # Nor would one fewer of either kind.
    assert 2.0 ** (2 - needed) > level or needed == 2 * LEAST_EACH_WAY
    assert rules.can_show(gaining=needed - 4, losing=4, tried=tried)
    assert not rules.can_show(gaining=needed - 5, losing=4, tried=tried)


def test_the_smallest_p_of_unanimous_pieces_is_that_of_sign_flips() -> None:
    assert claims().pieces_needed(tried=9) == 9
    assert sign_flip_p(np.ones(9)) == 2.0**-8 <= 0.05 / 9 < sign_flip_p(np.ones(8))


SURE, CHANCE = {"q": 0.01}, {"low": -0.1, "high": 0.7}


@pytest.mark.parametrize(
    ("group", "decodable"),
    [
        ([SURE], True),
        ([{"low": -0.9, "high": -0.1}], True),
        ([SURE, SURE], True),
        ([CHANCE], False),
        ([SURE, CHANCE], False),
        ([{"q": 0.06}], False),
        ([SURE, {"q": 0.06}], False),
        ([], False),
    ],
)
def test_a_group_of_features_is_decodable_if_each_of_them_is(
    group: list[dict[str, float]], decodable: bool
) -> None:
    assert claims().is_decodable([ranked(**changed) for changed in group]) is decodable


def test_a_group_does_not_gain_by_its_size() -> None:
    """Of features that tell nothing, an interval of 95 % passes once in 20; a group not oftener."""
    drawn = np.random.default_rng(0).normal(size=(500, 10))
    groups = [[ranked(low=x - 1.96, high=x + 1.96) for x in group] for group in drawn.tolist()]
    alone = np.mean([claims().is_decodable(group[:1]) for group in groups])
    together = np.mean([claims().is_decodable(group) for group in groups])
    assert together <= alone <= 0.08


@pytest.mark.parametrize(("folds", "tested"), [([4] * 3, 100), ([4] * 3, 5000), ([5, 4, 4], 9999)])
def test_so_few_tracks_choose_features_together_or_not_at_all(
    folds: list[int], tested: int
) -> None:
    claims = Claims.of_horizons([[5, 7]], minimum_seconds=5, alpha=0.05)
    together = claims.chosen_together(tracks_of_folds=folds, tested=tested)
    least = 1 / math.prod(map(math.factorial, folds))
    assert least <= claims.level_of_choice(together, tested=tested)
    if together > 1:
        assert least > claims.level_of_choice(together - 1, tested=tested)


@given(
    st.lists(st.integers(1, 1000), min_size=2, max_size=20), st.sampled_from([0.01, 0.05, 0.2, 0.5])
)
def test_the_level_of_choice_is_that_of_benjamini_and_hochberg(
    thousandths: list[int], alpha: float
) -> None:
    p = np.array(thousandths) / 1000
    chosen = [claims(alpha=alpha).is_chosen(q) for q in false_discovery_control(p)]
    level = claims(alpha=alpha).level_of_choice(sum(chosen), tested=len(p))
    assert chosen == (p <= level * (1 + 1e-9)).tolist()


def test_the_distance_of_a_choice_is_a_share_of_the_level() -> None:
    distances = [claims().distance_of_choice(q) for q in (0.04, 0.05, 0.06)]
    assert distances == pytest.approx([0.2, 0.0, 0.2])


def test_the_best_of_five_sites_passes_by_chance_about_as_often_as_the_level_allows() -> None:
    """Each half of the pieces chooses the site at which the other half is measured (rule 4)."""
    drawn = np.random.default_rng(0).normal(size=(1000, 5, 10))
    passed = []
    for experiment in drawn.tolist():
        effects = {
            f"site {number}": {f"piece {piece}": effect for piece, effect in enumerate(of_site)}
            for number, of_site in enumerate(experiment)
        }
        apart = chosen_apart(effects)
        measured = np.array([effects[site][piece] for piece, site in apart.items()])
        passed.append(measured.mean() > 0 and sign_flip_p(measured) <= claims().level(1))
    assert 0.04 < np.mean(passed) < 0.08


def test_impossible_horizons_are_refused() -> None:
    for after, until in [(3.0, 3.0), (-1.0, 2.0)]:
        with pytest.raises(ProbeError, match="empty or lies in the past"):
            Horizon("bad", after, until)


def test_intervals_beside_zero() -> None:
    above, across, below = Interval(1, 0.5, 2), Interval(0, -1, 1), Interval(-1, -2, -0.5)
    assert [*map(is_above_zero, (above, across, below, None))] == [True, False, False, False]
    assert [*map(excludes_zero, (above, across, below, None))] == [True, False, True, False]


def organism() -> Any:
    return YAML(typ="safe").load(Path(__file__).parents[1] / "presets" / "organism.yaml")


def test_too_few_permutations_for_any_claim_are_refused_with_the_number_needed() -> None:
    values = organism()
    values["probes"] |= {"permutations": 99, "horizons": [[5.0, 7.0], [7.0, 9.0]]}
    with pytest.raises(ConfigError, match=r"99, with(?s:.)*below 0.01(?s:.)*at least 199"):
        parse_params(values)
    values["probes"]["permutations"] = 199
    assert parse_params(values).probes.permutations == 199


def test_settings_without_a_horizon_of_a_claim_are_refused() -> None:
    values = organism()
    values["probes"]["minimum_seconds"] = 6.0
    with pytest.raises(ConfigError, match="no horizon may carry a claim"):
        parse_params(values)


@pytest.mark.parametrize(
    ("changed", "carried"),
    [
        ({}, True),
        ({"over_control": interval(-0.1)}, False),
        ({"over_control": None}, False),
        ({"towards": interval(-0.1)}, False),
        ({"away": None}, False),
        ({"nats": interval(0.1)}, False),  # no p-value
        ({"over_control": interval(0.1)}, False),
        ({"over_control": interval(0.1).model_copy(update={"p": 0.06})}, False),
        ({"share": None}, False),
        ({"share": IntervalRow(mean=0.09, low=0.05, high=0.12)}, False),
        ({"donor": "control"}, False),
        ({"window": "between", "until": 6.0}, False),
        ({"slot": 1}, False),
    ],
)
def test_a_site_carries_an_event_by_all_of_rule_6(changed: dict[str, Any], carried: bool) -> None:
    row = exchanged(after=5.0).model_copy(update=changed)
    assert claims().leads([row], model="planner") == ({row.site: 5.0} if carried else {})
    assert claims().leads([row], model="reader") == {}


def test_leads_too_near_for_a_claim_are_a_family_of_their_own() -> None:
    near = exchanged(nats=interval(0.1).model_copy(update={"p": 0.02}), after=3.0)
    far = [exchanged(site=f"layers.{n}.residual", after=5.0, share=0.0) for n in range(2, 5)]
    assert claims().leads([near, *far], model="planner") == {"layers.1.residual": 3.0}
    other = exchanged(site="layers.2.residual", after=1.0, share=0.0)
    assert (
        claims().leads([near, other, near.model_copy(update={"after": 2.0})], model="planner") == {}
    )


def test_the_lead_is_the_furthest_and_more_sites_and_leads_ask_for_smaller_p_values() -> None:
    rows = [exchanged(after=after) for after in (5.0, 6.0, 3.0)]
    assert claims().leads(rows, model="planner") == {"layers.1.residual": 6.0}
    barely = exchanged(nats=interval(0.1).model_copy(update={"p": 0.02}), after=5.0)
    assert claims().leads([barely], model="planner") == {"layers.1.residual": 5.0}
    others = [exchanged(site=f"layers.{n}.residual", after=5.0, share=0.0) for n in range(2, 5)]
    assert claims().leads([barely, *others], model="planner") == {}
    # The excess over the control is one of as many.
    by_control = exchanged(over_control=barely.nats, after=5.0)
    assert claims().leads([by_control], model="planner") == {"layers.1.residual": 5.0}
    assert claims().leads([by_control, *others], model="planner") == {}


def test_events_depend_on_what_decides_them_by_rule_6_of_the_whole_counterfactual() -> None:
    whole = {"site": None, "window": "deciding", "after": None}
    row = exchanged(**whole)
    assert claims().recalls([row], model="planner")
    assert not claims().recalls([row], model="reader")
    for no in ({"towards": interval(-0.1)}, {"share": None}, {"over_control": None}, {"slot": 1}):
        assert not claims().recalls([row.model_copy(update=no)], model="planner")
    for other in (exchanged(), exchanged(**whole, donor="control")):
        assert not claims().recalls([other], model="planner")


def test_as_many_pieces_of_each_kind_are_needed_as_an_interval_above_0_takes() -> None:
    """One fewer, all of which change, is not enough; the number in `claims` is that of the rule."""

    def low(pieces: int) -> float:
        return bounded_mean(np.full(pieces, 100.0), (-100.0, 100.0)).low

    assert low(LEAST_EACH_WAY) > 0
    assert low(LEAST_EACH_WAY - 1) < 0
    for pieces in range(LEAST_EACH_WAY, 20):
        assert claims().can_show(gaining=pieces, losing=20, tried=9)
    assert not claims().can_show(gaining=LEAST_EACH_WAY - 1, losing=20, tried=9)


def test_a_cause_needs_every_interval_and_a_p_value_for_all_that_were_tried() -> None:
    above, around = Interval(10.0, 1.0, 20.0), Interval(10.0, 0.0, 20.0)
    assert claims().moves(0.01, [above] * 4, tried=5)
    assert not claims().moves(0.0101, [above] * 4, tried=5)
    assert not claims().moves(None, [above] * 4, tried=5)
    assert not claims().moves(0.001, [above, above, above, around], tried=5)
    assert not claims().moves(0.001, [above, above, above, None], tried=5)


def test_a_swap_exceeds_its_controls_if_it_is_positive_and_its_q_is_small() -> None:
    positive, negative = (IntervalRow(mean=x, low=x - 1, high=x + 1, n=4) for x in (0.5, -0.5))
    assert exceeds_controls(0.05, positive)
    assert not exceeds_controls(0.0501, positive)
    assert not exceeds_controls(0.001, negative)
    assert not exceeds_controls(None, positive)


def test_no_other_module_compares_an_interval_with_0(repo_root: Path) -> None:
    package = repo_root / "src/leitmotif"
    decides = re.compile(r"\.low\s*(>|<=)\s*0\b(?!\.)|\.high\s*<\s*0\b")
    found = [
        f"{path.relative_to(package)}: {line.strip()}"
        for path in package.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if decides.search(line) and ">>>" not in line
    ]
    assert {line.partition(":")[0] for line in found} == {"claims.py"}, found
