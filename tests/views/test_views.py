"""What reviewers see of the tables: counts by bin, and lines for the plots."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from leitmotif.claims import Claims
from leitmotif.tables.approaches import ApproachRow
from leitmotif.tables.candidates import Ranked
from leitmotif.views import (
    decoderlens,
    interchange,
    interventions,
    probes,
    proposals,
    summary,
    swaps,
)
from tests.tables.made import (
    approach,
    diverging,
    effect,
    exchanged,
    horizon,
    interval,
    measured_swap,
    nothing_found,
    probe,
    ranked,
    recognised,
    swapped,
    verdict,
)

CLAIMS = Claims.of_horizons([[1, 3], [5, 7]], minimum_seconds=5, alpha=0.05)
features = st.builds(
    lambda site, effect, q: ranked(site=site, effect=effect, q=q),
    st.sampled_from(["layers.0.residual", "layers.1.residual"]),
    st.floats(-1, 1),
    st.floats(0, 1),
)


@given(st.lists(features, max_size=30))
def test_every_feature_is_counted_once_and_chosen_ones_twice(tested: list[Ranked]) -> None:
    counts: Counter[tuple[object, object]] = Counter()
    for line in probes.counted(tested, CLAIMS):
        assert isinstance(line["features"], int)
        assert line["features"] > 0
        counts[line["site"], line["count"]] += line["features"]
    for site in ("layers.0.residual", "layers.1.residual"):
        mine = [feature for feature in tested if feature.site == site]
        assert counts[site, "tested"] == len(mine)
        assert counts[site, "chosen"] == sum(feature.q <= 0.05 for feature in mine)


def test_one_exploratory_row_marks_every_plot_of_the_probes() -> None:
    rows = [probe(), probe(model="reader", exploratory=True)]
    plots = probes.plots_of(rows, [horizon()], [ranked()], CLAIMS)
    assert set(plots) == {"probes", "controls", "candidates"}
    assert set(plots["probes"]["labels"]) == {"exploratory"}
    assert set(probes.plots_of([probe()], [horizon()], [], CLAIMS)["probes"]["labels"]) == {
        "verified"
    }


def test_a_model_foresees_only_where_its_family_of_tests_allows_it() -> None:
    doubtful = [probe(p=0.03), probe(p=0.9, site="layers.3.residual")]
    metrics = probes.metrics_of(doubtful, [horizon()], CLAIMS)
    assert metrics["site"] is None
    assert probes.metrics_of([probe(p=0.03)], [horizon()], CLAIMS)["site"] == "layers.1.residual"


def test_conditions_are_drawn_with_their_candidates_verdict_and_baselines_not() -> None:
    written = {"condition": "zero_effect", "name": "zero_effect_ahead"}
    rows = [
        effect(candidate="layers.1.residual", towards_source=interval(0.0), **written),
        effect(candidate="layers.1.residual", towards_source=interval(80.0)),
        effect(condition="baseline", name="baseline", towards_source=interval(0.0)),
        effect(candidate="layers.1.residual", name="patch_slot"),
    ]
    drawn = interventions.plot_of(rows, [verdict()])
    assert drawn[["condition", "verdict", "effect"]].to_numpy().tolist() == [
        ["patch_ahead", "foresight", 80.0]
    ]


def test_an_approach_that_found_nothing_has_metrics_and_no_bar() -> None:
    rows: list[ApproachRow] = [approach(), nothing_found("local continuity")]
    metrics = summary.metrics_of(rows)["approaches"]
    assert isinstance(metrics, dict)
    assert metrics["local continuity"]["delta_recurrence"] is None
    assert summary.plot_of(rows)["approach"].tolist() == ["aligned and causal"]


def test_of_no_shuffled_track_there_is_no_rate() -> None:
    assert proposals.metrics_of([], [], alarms=0, shuffled=0)["null_any_rate"] is None
    rate = proposals.metrics_of([], [], alarms=5, shuffled=100)["null_any_rate"]
    assert isinstance(rate, dict)
    assert rate["mean"] == 0.05
    assert rate["low"] < 0.05 < rate["high"]


def test_a_model_has_the_leads_of_its_sites_and_its_best_accuracy() -> None:
    far = Claims.of_horizons([[1, 3], [3, 5]], minimum_seconds=3, alpha=0.05)
    rows = [
        exchanged(after=after, site=site, share=share)
        for site, shares in (("layers.0.residual", (0.9, 0.5)), ("layers.1.residual", (0.05, 0.0)))
        for after, share in zip((3.0, 4.0), shares, strict=True)
    ]
    rows += [exchanged(after=1.0, share=1.0), exchanged(model="reader", share=0.0)]
    metrics = interchange.metrics_of(rows, far)
    leads = {"layers.0.residual": 4.0, "layers.1.residual": 1.0}
    assert metrics["leads"] == {"planner": leads, "reader": {}}
    assert isinstance(metrics["iia"], dict)
    assert metrics["iia"]["planner"]["mean"] == 0.9
    assert metrics["events"] == 32
    assert interchange.metrics_of([], far) == {"iia": {}, "leads": {}, "events": 0}


def test_curves_are_drawn_of_all_events_and_the_counterfactual_alone() -> None:
    rows = [
        exchanged(),
        exchanged(window="between", after=0.0, until=1.0),
        exchanged(slot=1),
        exchanged(donor="control"),
        exchanged(window="deciding", after=None),
    ]
    table = interchange.plot_of(rows)
    assert table[["exchanged", "lead"]].values.tolist() == [
        ["all before", 3.0],
        ["this stretch", 0.0],
    ]
    assert list(interchange.plot_of([]).columns) == list(table.columns)


def test_the_gain_of_the_tuned_lens_is_over_the_same_layers_of_the_plain_one() -> None:
    rows = [
        recognised(
            layer=layer, lens=lens, ndcg=interval(round(value - 0.1, 1)), within=interval(value)
        )
        for layer, lens, value in (
            (0, "plain", 0.5), (0, "tuned", 0.8), (1, "plain", 0.7), (1, "tuned", 0.8),
            (2, "plain", 1.0),
        )
    ] + [
        recognised(layer=layer, lens=lens, heard="sampled", within=interval(value))
        for layer, lens, value in (
            (0, "plain", 0.1), (0, "tuned", 0.3), (1, "plain", 0.2), (1, "tuned", 0.6),
            (2, "plain", 1.0),
        )
    ]  # fmt: skip
    metrics = decoderlens.metrics_of(rows)
    assert metrics["tuned_lens_gain"] == {"instrument": 0.3}
    ndcg, alone = metrics["ndcg"], metrics["alone"]
    assert isinstance(ndcg, dict)
    assert isinstance(alone, dict)
    for found, expected in (
        (ndcg, {"first": 0.4, "middle": 0.6, "last": 0.9}),
        (alone["plain"], {"first": 0.1, "middle": 0.2, "last": 1.0}),
        (alone["tuned"], {"first": 0.3, "middle": 0.6}),
    ):
        assert {place: value["mean"] for place, value in found["instrument"].items()} == expected


def test_every_way_of_hearing_is_drawn() -> None:
    rows = [recognised(), recognised(lens="tuned"), recognised(heard="sampled", concept="piano")]
    plots = decoderlens.plots_of(rows, [diverging()])
    assert plots["decoderlens"][["concept", "way"]].to_numpy().tolist() == [
        ["all: instrument", "plain lens"],
        ["all: instrument", "tuned lens"],
        ["piano", "plain lens, alone"],
    ]
    assert plots["lens_divergence"]["nats"].tolist() == [2.0]


def test_the_best_cell_is_one_layer_and_branch_that_exceeds_its_controls_most() -> None:
    rows = [
        swapped(excess=interval(1.0)),
        swapped(component="cross_attention", layers=[3], excess=interval(2.0), q=0.2),
        swapped(component="residual", layers=[5], excess=interval(9.0)),
        swapped(layers=[0, 1], excess=interval(8.0)),
        swapped(depth="every", layers=[0, 1], swap=measured_swap(0.25), p=None, q=None),
        swapped(depth="every", layers=[0, 1], scope="within", swap=measured_swap(7.0)),
        swapped(depth="every", layers=[0, 1], component="residual", p=None, q=None),
    ]
    metrics = swaps.metrics_of([], rows)
    assert metrics["best"] == {"replace": "layers.0.mlp"}  # the other one may be chance
    chance = [swapped(q=0.2), swapped(depth="every", layers=[0, 1], p=None, q=None)]
    assert swaps.metrics_of([], chance)["best"] == {"replace": None}
    assert metrics["cells"] == {"tried": 4, "beyond_controls": 3}
    effect = metrics["effect"]
    assert isinstance(effect, dict)
    assert {name: value["mean"] for name, value in effect["replace"].items()} == {"mlp": 0.25}
    assert metrics["itself"] is None
    drawn = swaps.plot_of(rows)
    assert drawn["layer"].tolist() == [0, 3, 5]
    assert drawn["control"].tolist() == [0.5] * 3
    assert list(swaps.plot_of([]).columns) == list(drawn.columns)
    later = [row.model_copy(update={"frames": (20, 40)}) for row in rows]
    assert swaps.metrics_of([], [*rows, *later]) == metrics
    assert swaps.plot_of([*rows, *later]).equals(drawn)
