"""What reviewers see of the tables: counts by bin, and lines for the plots."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from leitmotif.claims import Claims
from leitmotif.tables.approaches import ApproachRow
from leitmotif.tables.candidates import Ranked
from leitmotif.views import interchange, interventions, probes, proposals, summary
from tests.tables.made import (
    approach,
    effect,
    exchanged,
    horizon,
    interval,
    nothing_found,
    probe,
    ranked,
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
    rows = [
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
