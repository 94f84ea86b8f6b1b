"""The summary of a run: what it says, and that it keeps within a screen whatever was found."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.cli.preset_texts import preset
from leitmotif.cli.results import STAGES, Results, as_lines
from leitmotif.config import Params, load_params
from leitmotif.files.yaml_files import parse_yaml
from tests.cli.made_results import METRICS, NULL, ROOT, SURE, interval, text


@pytest.fixture(scope="module")
def params() -> Params:
    return load_params(ROOT / "presets" / "organism.yaml")


def test_it_knows_the_stages_of_the_pipeline() -> None:
    pipeline = parse_yaml((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    assert [*STAGES] == [*pipeline["stages"]]


def test_what_counts_is_said(params: Params) -> None:
    shown = text(Results(params, METRICS, pages=True))
    for said in (
        "planner           foresight             yes    0.98 (0.97 to 0.98)\n"
        "    patched ahead +87.5 (55.8 to 96.6; 16 pieces, 14 changed, p 0.0001)\n",
        "ahead +0.0 (0 of 16 pieces changed); counts from 56.2, likely from 66.6\n",
        "    carried by layers.0.residual (+87.5)",
        "    decodable, not causal: layers.5.residual (+0.0)",
        "naive correlation      0.58 0.999 decodable, not causal +0.0 (0 of 16 pieces changed)\n",
        "R² of place alone 0.52",
        "false positives, naive: 0.269 (0.259 to 0.279)\n",
        "false positives, controlled: 0.053 (0.048 to 0.058)\n",
        "0.09 at 0.05, 0.97 at 0.4",
        "100 of 128 recordings used, 21 left out, 3 failures, 500 tensors",
        "1,434 proposals, precision 0.92, recall 1.00, in 0.000 (0.000 to 0.037) of null tracks",
        "209 labels, 100 tracks complete, 0 decisions, 341 of 2,314 features are candidates\n",
        "5 audits passed, 0 failed, 19 of 20 misalignments caught, loss recovered at least 0.988",
        "3,120 clips, 3 excluded, 0 changed",
        "open data/report/index.html",
        "leitmotif compare main",
    ):
        assert said in shown
    # The model under study comes first, and the approaches from the naive one on.
    assert shown.index("planner ") < shown.index("blind ") < shown.index("random_weights ")
    assert shown.index("naive correlation") < shown.index("aligned and causal")
    assert "exploratory" not in shown
    assert "review" not in shown


def test_one_of_something_is_said_without_an_s(params: Params) -> None:
    ones = {
        name: {key: 1 if isinstance(value, int) else value for key, value in values.items()}
        for name, values in METRICS.items()
        if name in ("corpus", "manifest", "features", "activations", "proposals", "labels", "sae")
    }
    shown = text(Results(params, METRICS | ones | {"report": {"pairs": 1}}, pages=True))
    plural = re.search(
        r"(?<![\d.,])1 (\w+ )?(recording|failure|tensor|proposal|label|pair|audit)s", shown
    )
    assert plural is None, plural
    assert "1 of 1 recording used, 1 left out" in shown
    assert "1 tensor\n" in shown
    assert "1 pair of clips" in shown


def test_too_few_pieces_is_another_word_than_none(params: Params) -> None:
    few = NULL | {"gaining": 2, "losing": 1, "n": 3, "least": None, "likely": None}
    metrics = METRICS["interventions"] | {
        "verdicts": {"blind": "unknown"},
        "strongest": {"blind": few},
    }
    shown = text(Results(params, METRICS | {"interventions": metrics}))
    assert "+0.0 (0 of 3 pieces changed); too few pieces to tell\n" in shown


def test_what_openings_of_recordings_say_is_said(params: Params) -> None:
    tried = {"recordings": 15, "differing": 0, "openings": 120, "returning": 0}
    metrics = METRICS["interventions"] | {"openings": {"planner": tried}}
    said = "  motifs return after 0 of 120 openings; 0 of 15 recordings can show an effect\n"
    assert said in text(Results(params, METRICS | {"interventions": metrics}))
    assert "openings" not in text(Results(params, METRICS))


def test_sites_that_carry_the_event_from_nearby_only_are_named(params: Params) -> None:
    leads = {"layers.0.residual": 4.0, "layers.1.residual": 2.0, "layers.2.residual": 0.0}
    shown = text(
        Results(params, METRICS | {"interchange": {"leads": {"planner": leads}}}, pages=True)
    )
    assert "    carried by layers.0.residual (+87.5, from 4 s ahead)\n    just in time: " in shown
    assert (
        "just in time: layers.1.residual (from 2 s ahead), layers.2.residual (from 0 s ahead)\n"
        in shown
    )


def test_a_model_whose_leads_are_not_known_is_told_from_one_that_carries_nothing(
    params: Params,
) -> None:
    known = text(
        Results(params, METRICS | {"interchange": {"leads": {"planner": {}, "blind": {}}}})
    )
    assert "leads not known" not in known
    unknown = text(Results(params, METRICS | {"interchange": {"leads": {"planner": {}}}}))
    assert unknown.count("    leads not known: its residuals were not exchanged\n") == 1


def test_concepts_are_named_by_layer_and_by_what_makes_them(params: Params) -> None:
    by_layer = {
        place: interval(value, 0, 1)
        for place, value in (("first", 0.6), ("middle", 0.67), ("last", 1.0))
    }
    lens = {
        "alone": {"plain": {"instrument": by_layer}, "tuned": {"instrument": by_layer}},
    }
    swaps = {
        "best": {"replace": "layers.0.mlp", "adjust": None},
        "cells": {"tried": 56, "beyond_controls": 22},
    }
    shown = text(Results(params, METRICS | {"decoderlens": lens, "swaps": swaps}))
    assert "instrument             0.60, 0.67, 1.00      0.60, 0.67\n" in shown
    assert "most by swaps: layers.0.mlp (replace); 22 of 56 cells beyond controls" in shown


def test_a_row_that_hangs_on_one_feature_is_marked(params: Params) -> None:
    rows = {
        name: {**row, "stable": row["verdict"] == "foresight"}
        for name, row in METRICS["summary"]["approaches"].items()
    }
    lines = as_lines(Results(params, {**METRICS, "summary": {"approaches": rows}}))
    marked = [line for line in lines if line.startswith("* ")]
    assert marked[0].startswith("* naive correlation ")
    assert len(marked) == 2  # the row, and what the mark means
    assert "* would change if the nearest feature changed sides" in lines
    assert not any(line.startswith("*") for line in as_lines(Results(params, METRICS)))


@pytest.mark.parametrize("name", ["folder", "musicgen-folder", "organism"])
def test_results_of_a_rehearsal_say_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(preset(name, root=ROOT), encoding="utf-8")
    (title, *more) = as_lines(Results(load_params(path), METRICS))
    assert "on folder" in title or name == "organism"
    assert any("  a rehearsal" in line for line in more[:1]) == (name == "folder")


def test_exploratory_results_are_stamped(params: Params) -> None:
    probes = params.probes.model_copy(update={"exploratory": True})
    stamped = Results(params.model_copy(update={"probes": probes}), METRICS)
    assert "exploratory" in as_lines(stamped)[1]


NAMES = st.text(max_size=200) | st.sampled_from(["layers.0.residual", "facebook/musicgen-large"])
NUMBERS = st.none() | st.floats() | st.integers() | st.booleans() | st.just(10**400)
INTERVALS = NUMBERS | st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("mean", "low", "high", "n", "p"), NUMBERS | st.just({}))
)
MANY_SITES = st.integers(0, 192).map(
    lambda n: {f"layers.{site}.residual": SURE for site in range(n)}
)


def of_names(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.dictionaries(NAMES, values, max_size=30)


@pytest.mark.fault(
    "leitmotif results",
    "metrics with any numbers, names and characters in them",
    outcome="at most 40 lines of 100 characters that can be printed",
)
@given(
    name=NAMES.filter(bool),
    probes=of_names(st.fixed_dictionaries({"foresight": NUMBERS, "partial_r2": INTERVALS})),
    verdicts=of_names(st.none() | NAMES),
    strongest=of_names(INTERVALS),
    sites=of_names(MANY_SITES | of_names(INTERVALS)),
    approaches=of_names(
        st.fixed_dictionaries(
            {}, optional={"r2": NUMBERS, "delta_recurrence": INTERVALS, "stable": NUMBERS}
        )
    ),
    power=of_names(INTERVALS),
    slots=of_names(st.dictionaries(st.sampled_from(("first", "middle", "last")), INTERVALS)),
    leads=of_names(of_names(NUMBERS)),
    gone=st.sets(st.sampled_from(STAGES)),
    outdated=st.sets(st.sampled_from(STAGES)),
    exploratory=st.booleans(),
)
def test_it_keeps_within_forty_lines_of_a_hundred_characters(
    params: Params,
    name: str,
    probes: Any,
    verdicts: Any,
    strongest: Any,
    sites: Any,
    approaches: Any,
    power: Any,
    slots: Any,
    leads: Any,
    gone: set[str],
    outdated: set[str],
    exploratory: bool,
) -> None:
    odd = {
        **METRICS,
        "probes": {"models": probes},
        "interventions": {
            "verdicts": verdicts,
            "strongest": strongest,
            "carriers": dict.fromkeys(verdicts or [], sites),
            "decodable_not_causal": dict.fromkeys(verdicts or [], sites),
        },
        "summary": {"approaches": approaches},
        "calibration": {"power": power},
        "decoderlens": {"alone": {"plain": slots}},
        "interchange": {"leads": leads},
    }
    changed = params.model_copy(
        update={
            "model": params.model.model_copy(update={"name": name}),
            "probes": params.probes.model_copy(update={"exploratory": exploratory}),
            "labels": params.labels.model_copy(update={"source": "decisions"}),
        }
    )
    metrics = {stage: values for stage, values in odd.items() if stage not in gone}
    lines = as_lines(Results(changed, metrics, sorted(gone), sorted(outdated)))
    assert len(lines) <= 40
    assert all(len(line) <= 100 and line.isprintable() for line in lines)


def test_the_fullest_summary_fills_the_screen(params: Params) -> None:
    models = {f"model {number}": "foresight" for number in range(40)}
    rows = METRICS["summary"]["approaches"]
    full = {
        **METRICS,
        "interventions": {**METRICS["interventions"], "verdicts": models},
        "summary": {"approaches": {str(n): {"stable": False} for n in range(9)} | rows},
    }
    changed = params.model_copy(
        update={
            "probes": params.probes.model_copy(update={"exploratory": True}),
            "labels": params.labels.model_copy(update={"source": "decisions"}),
        }
    )
    full["labels"] = {"tracks_complete": 0}
    lines = as_lines(Results(changed, full, ["corpus"], ["sae"]))
    assert len(lines) == 40
    assert "  and 36 more models" in lines
    assert "  and 7 more approaches" in lines


def test_many_carriers_are_counted(params: Params) -> None:
    many = {f"layers.{layer}.residual": SURE for layer in range(48)}
    metrics = {**METRICS["interventions"], "carriers": {"planner": many}}
    (line,) = (
        line
        for line in as_lines(Results(params, {**METRICS, "interventions": metrics}))
        if "carried by" in line
    )
    named = line.count("layers.")
    assert named >= 2
    assert line.endswith(f", and {48 - named} more")
