"""Metrics are what a reviewer reads: few numbers, each below a name, from any run of the pipeline.

A list shows nothing in `dvc metrics diff`, and thousands of numbers hide the ones that count.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from leitmotif.claims import Claims
from leitmotif.config import load_params
from leitmotif.report.build import ReportCounts
from leitmotif.review.labels import Labels
from leitmotif.stages import (
    activations,
    corpus,
    features,
    labels,
    manifest,
    report,
)
from leitmotif.tables.decoderlens import DecoderLensRow
from leitmotif.tables.effects import Verdict, VerdictRow
from leitmotif.tables.openings import OpenedRecording
from leitmotif.tables.swaps import SwapSummaryRow
from leitmotif.views import (
    calibration,
    decoderlens,
    interchange,
    interventions,
    probes,
    proposals,
    sae,
    summary,
    swaps,
)
from tests.tables.made import (
    aligned,
    approach,
    calibrated,
    effect,
    exchanged,
    horizon,
    interval,
    probe,
    recognised,
    swapped,
    tried,
    verdict,
)

ROOT = Path(__file__).parents[1]
MOST, MOST_LATER = 80, 20
"""Numbers of the first stages together, and of each file that came later."""
LATER = ("interchange", "decoderlens", "swaps", "validity")
NO_STAGE = {"validity"}
"""What no stage makes: scores of methods, see docs/bench.md."""
SITES = [f"layers.{layer}.residual" for layer in range(5)]
MODELS = ("planner", "reader", "blind")


def leaves(value: Any, place: str) -> int:
    """How many numbers and words there are; an interval, with what belongs to it, counts as one."""
    assert not isinstance(value, list), f"{place} is a list"
    if not isinstance(value, Mapping) or {"mean", "low", "high"} <= value.keys():
        return 1
    return sum(leaves(inner, f"{place}.{name}") for name, inner in value.items())


def sites_of(model: str) -> list[VerdictRow]:
    """In the planner two sites carry the return and three tell of it; the others do nothing."""
    judged: list[Verdict] = ["foresight"] * 2 + ["decodable, not causal"] * 3
    return [
        verdict(
            model=model,
            candidate=site,
            site=site,
            verdict=concluded if model == "planner" else "none",
        )
        for site, concluded in zip(SITES, judged, strict=True)
    ]


def lens_rows() -> list[DecoderLensRow]:
    """Six layers, two slots of concepts; the tuned lens has no last layer."""
    return [
        recognised(slot=slot, layer=layer, lens=lens, heard=heard)
        for slot in ("instrument", "genre")
        for layer in range(6)
        for lens in ("plain", "tuned")[: 2 if layer < 5 else 1]
        for heard in ("read", "sampled")
    ]


def swap_summaries() -> list[SwapSummaryRow]:
    """Both techniques and four components, by layer and over all of them."""
    return [
        swapped(technique=technique, component=component, layers=layers, depth=depth)
        for technique in ("replace", "adjust")
        for component in ("self_attention", "cross_attention", "mlp", "residual")
        for layers, depth in (([0], None), ([1], None), ([0, 1], None), ([0, 1], "every"))
    ]


@pytest.fixture(scope="module")
def made() -> dict[str, dict[str, object]]:
    """What the stages' builders make of tables as large as the default run's."""
    params = load_params(ROOT / "presets" / "organism.yaml")
    verdicts = [row for model in MODELS for row in sites_of(model)]
    verdicts.append(verdict(candidate="planner-1:9", hook="planner-1", features=[9]))
    approaches = [approach(name=name) for name in params.summary.approaches]
    cells = [probe(model=m, site=s) for m in (*MODELS, "random_weights") for s in SITES]
    autoencoders = [row(hook=f"planner-{n}") for n in range(4) for row in (aligned, tried)]
    return {
        "corpus": corpus.metrics_of([], []),
        "manifest": manifest.metrics_of([], []),
        "features": features.metrics_of([]),
        "activations": activations.metrics_of([], []),
        "proposals": proposals.metrics_of([], [], alarms=0, shuffled=100),
        "labels": labels.metrics_of(Labels([], [], {}), [], []),
        "sae": sae.metrics_of(autoencoders),
        "probes": probes.metrics_of(cells, [horizon()], Claims.of(params.probes)),
        "calibration": calibration.metrics_of(
            calibrated(["linear", "label"], params.calibration.strengths)
        ),
        "interchange": interchange.metrics_of(
            [exchanged(model=m, site=s) for m in MODELS for s in SITES], Claims.of(params.probes)
        ),
        "interventions": interventions.metrics_of([effect()], verdicts, []),
        "summary": summary.metrics_of(approaches),
        "decoderlens": decoderlens.metrics_of(lens_rows()),
        "swaps": swaps.metrics_of([], swap_summaries()),
        "report": report.metrics_of(ReportCounts(1, 2, 3, 4, 5)),
    }


def test_what_the_stages_make_is_few_numbers_and_no_list(made: dict[str, object]) -> None:
    check_few(made)


def check_few(metrics: Mapping[str, Any]) -> None:
    numbers = {stage: leaves(value, stage) for stage, value in metrics.items()}
    for stage in LATER:
        assert numbers.pop(stage, 0) <= MOST_LATER, stage
    assert sum(numbers.values()) <= MOST


def test_what_is_committed_is_few_numbers_and_no_list() -> None:
    files = {path.stem: json.loads(path.read_text()) for path in (ROOT / "metrics").glob("*.json")}
    check_few(files)


def test_every_stage_has_its_metrics(made: dict[str, object]) -> None:
    assert set(made) == {path.stem for path in (ROOT / "metrics").glob("*.json")} - NO_STAGE


def test_lists_are_refused_and_intervals_count_once() -> None:
    assert (
        leaves({"a": {"mean": 1, "low": 0, "high": 2, "n": 5}, "b": {"c": None, "d": {}}}, "") == 2
    )
    with pytest.raises(AssertionError, match=r"sae\.missed is a list"):
        leaves({"missed": []}, "sae")


def test_the_least_and_the_most_are_named() -> None:
    rows = [aligned(), tried(), aligned(hook="b", loss_recovered=interval(0.8))]
    metrics = sae.metrics_of(rows)
    assert metrics["least_loss_recovered"] == interval(0.8).model_dump()
    assert (metrics["misalignments_tried"], metrics["misalignments_caught"]) == (2, 2)
    assert sae.metrics_of([])["least_margin"] is None


def test_sites_are_named_under_their_models() -> None:
    rows = sites_of("planner")
    strong = verdict(model="reader", effect=interval(10.0), verdict="none")
    feature = verdict(candidate="a:1", hook="a", features=[1], effect=interval(99.0))
    changed = effect(condition="zero_effect", clips=3, changed=2)
    metrics = interventions.metrics_of([changed], [*rows, feature, strong], [])
    assert metrics["verdicts"] == {"planner": "foresight", "reader": "none"}
    assert metrics["strongest"] == {
        "planner": interval(80.0).model_dump(),
        "reader": interval(10.0).model_dump(),
    }
    assert metrics["carriers"] == {"planner": dict.fromkeys(SITES[:2], interval(80.0).model_dump())}
    assert metrics["decodable_not_causal"] == {
        "planner": dict.fromkeys(SITES[2:], interval(80.0).model_dump())
    }
    assert metrics["identity_changed"] == 2
    assert "position_shift" not in metrics


def test_what_openings_of_recordings_say_is_named_where_there_are_recordings() -> None:
    row = OpenedRecording(model="planner", track_id="a", openings=8, returning=0, towards=None)
    assert interventions.opened_of([]) == {}
    assert interventions.opened_of([row] * 15) == {
        "openings": {"planner": {"recordings": 15, "differing": 0, "openings": 120, "returning": 0}}
    }


def test_a_shift_of_positions_is_named_where_it_was_tried() -> None:
    shifted = effect(condition="position_shift", candidate="", towards_source=interval(3.0))
    metrics = interventions.metrics_of([shifted], sites_of("planner"), [])
    assert metrics["position_shift"] == {shifted.model: interval(3.0).model_dump()}
    assert metrics["verdicts"] == {"planner": "foresight"}
