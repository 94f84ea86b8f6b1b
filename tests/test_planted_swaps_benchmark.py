"""The benchmark of the planted component: what its two readings say, and that pages repeat it."""

import json
from pathlib import Path

from benchmarks.planted_swaps import readings
from leitmotif.tables.swaps import SwapSummaryRow
from leitmotif.views.swaps import metrics_of
from tests.tables.made import interval, measured_swap, swapped

ROOT = Path(__file__).parents[1]
RESULT = json.loads((ROOT / "benchmarks/results/planted_swaps.json").read_text(encoding="utf-8"))


def cell(layer: int, component: str, effect: float, control: float) -> SwapSummaryRow:
    return swapped(
        layers=[layer],
        component=component,
        swap=measured_swap(effect),
        controls={"mixed": measured_swap(control)},
        strongest="mixed",
        excess=interval(effect - control),
    )


ROWS = [
    cell(0, "self_attention", 4.0, 3.5),  # a large effect, which any third concept has as well
    cell(1, "mlp", 3.0, 0.5),
    cell(2, "mlp", 1.0, 0.5),
    cell(5, "residual", 9.0, 5.0),
]


def test_ours_asks_for_more_than_the_controls_do_and_the_naive_one_does_not() -> None:
    read = readings(ROWS, "layers.1.mlp")
    assert read["ours"] == {
        "first": "layers.1.mlp", "effect": 3.0, "of": 3, "found_first": True, "rank": 1,
    }  # fmt: skip
    assert read["naive"]["first"] == "layers.5.residual"
    assert (read["naive"]["rank"], read["naive"]["of"]) == (3, 4)
    assert not read["naive"]["found_first"]
    over_layers = swapped(layers=[0, 1, 2], depth="every")
    assert metrics_of([], [*ROWS, over_layers])["best"] == {"replace": read["ours"]["first"]}


def test_where_nothing_is_planted_nothing_is_scored() -> None:
    assert readings(ROWS, None)["ours"].keys() == {"first", "effect", "of"}


def test_metrics_and_page_have_the_result() -> None:
    validity = json.loads((ROOT / "metrics/validity.json").read_text(encoding="utf-8"))
    ours = RESULT["readings"]["concepts_planted"]["ours"]
    assert validity["planted_swaps"] == {key: ours[key] for key in ("found_first", "rank")}
    truth = json.loads((ROOT / "models/organism/concepts_planted/truth.json").read_text())
    assert RESULT["truth"] == truth["site"]
    page = (ROOT / "docs/lens.md").read_text(encoding="utf-8")
    named = RESULT["named_after_ablation"]
    for slot, start in (("instrument", "| … without"), ("genre", "| genre named, without")):
        lines = [
            line for line in page.splitlines() if line.startswith(f"{start} the MLP of block 2")
        ]
        shares = [named[model]["layers.2.mlp"][slot] for model in ("concepts", "concepts_planted")]
        assert [line.split(" | ")[1:] for line in lines] == [
            [f"{shares[0]:.2f}", f"{shares[1]:.2f} |"]
        ]
