"""The probes' stages on sixteen composed pieces: the planner foresees, the reader does not."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from leitmotif.config import Params, load_params
from leitmotif.errors import ProbeError
from leitmotif.files import read_table, write_table
from leitmotif.probe.targets import Horizon
from leitmotif.recurrence.queue import write_proposals
from leitmotif.review.labels import Coverage
from leitmotif.stages import CANDIDATES, COVERAGE, METRICS, PLOTS, PROPOSALS
from leitmotif.stages.activations import activations
from leitmotif.stages.calibration import calibration
from leitmotif.stages.corpus import corpus
from leitmotif.stages.features import features
from leitmotif.stages.labels import labels
from leitmotif.stages.manifest import manifest
from leitmotif.stages.probes import CandidateRow, foresight, probes

SITES = ["layers.0.residual", "layers.1.residual"]


def small(repo_root: Path) -> Params:
    whole = load_params(repo_root / "presets" / "organism.yaml").model_dump()
    whole["corpus"] |= {"pieces": 24, "path": str(repo_root / "models/organism/world.json")}
    whole["manifest"]["tracks"] = 16
    planner = str(repo_root / "models/organism/planner")
    whole["model"] |= {"name": planner, "watch": planner}
    whole["activations"]["sites"] = SITES
    whole["probes"] |= {
        "folds": 4,
        "permutations": 199,
        "shifts": 99,
        "seeds": 2,
        "comparisons": [str(repo_root / "models/organism/reader")],
    }
    whole["calibration"] |= {
        "site": SITES[1],
        "each": 20,
        "strengths": [0.05, 0.6],
        "permutations": 99,
    }
    return Params.model_validate(whole)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Any:
    folder = tmp_path_factory.mktemp("probes")
    (folder / "controls.yaml").write_text((repo_root / "controls.yaml").read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "data/decisions").mkdir(parents=True)
        params = small(repo_root)
        for stage in (corpus, manifest, features, activations):
            stage(params)
        write_proposals(PROPOSALS, [])
        labels(params)
        probes(params)
        yield params


def metrics(name: str) -> Any:
    return json.loads((METRICS / f"{name}.json").read_text())


def test_the_planner_foresees_and_the_reader_does_not(workspace: Params) -> None:
    found = metrics("probes")
    assert set(found["models"]) == {"planner", "reader", "random_weights"}
    assert found["foresight"]["planner"]["found"]
    assert not found["foresight"]["reader"]["found"]
    assert not found["foresight"]["random_weights"]["found"]
    cells = {name: of["layers.1.residual"]["5-7s"] for name, of in found["models"].items()}
    assert cells["planner"]["partial_r2"]["low"] > 0.3 > cells["reader"]["partial_r2"]["high"]
    assert cells["planner"]["over_random_weights"]["low"] > 0.3
    assert "over_random_weights" not in cells["random_weights"]
    assert found["tracks"] == 16
    assert not found["exploratory"]


def test_candidates_are_ranked_and_all_features_were_tested(workspace: Params) -> None:
    rows = read_table(CANDIDATES, CandidateRow)
    assert [row.rank for row in rows] == list(range(1, len(rows) + 1))
    assert all(row.q <= 0.05 and row.low <= row.effect <= row.high for row in rows)
    assert [row.q for row in rows] == sorted(row.q for row in rows)
    assert metrics("probes")["candidates"]["tested"] == 2 * 128
    assert len(pd.read_csv(PLOTS / "candidates.csv")) == 2 * 128


def test_each_control_is_left_out_once(workspace: Params) -> None:
    table = pd.read_csv(PLOTS / "controls.csv")
    names = {"none", "position", "track_identity", "local_chroma", "local_energy"}
    names |= {"onset_density", "source_artifacts", "continuity"}
    assert set(table["left_out"]) == names
    assert set(table["horizon"]) == {"1-3s", "3-5s", "5-7s"}
    lines = pd.read_csv(PLOTS / "probes.csv")
    assert len(lines) == 3 * 2 * 3
    assert (lines["low"] <= lines["partial_r2"]).all()


def test_calibration_counts_false_positives_and_power(workspace: Params) -> None:
    calibration(workspace)
    found = metrics("calibration")
    assert found["nulls"] == 20 * (5 + 2)
    assert found["fpr_controlled"]["mean"] < 0.2
    assert found["power"]["0.6"]["mean"] > found["power"]["0.05"]["mean"]
    table = pd.read_csv(PLOTS / "calibration.csv")
    assert set(table["test"]) == {"nominal", "naive", "controlled", "0.05", "0.6"}
    assert (table[table["level"] == 1.0]["share"] == 1).all()


def test_tracks_with_undecided_proposals_stop_the_stage(workspace: Params) -> None:
    before = read_table(COVERAGE, Coverage)
    undecided = [row.model_copy(update={"pending": 1, "complete": False}) for row in before]
    write_table(COVERAGE, undecided)
    try:
        with pytest.raises(ProbeError, match="no track's recurrences are all verified"):
            probes(workspace)
    finally:
        write_table(COVERAGE, before)


def cell(p: float, low: float, over: float | None = None) -> dict[str, object]:
    values: dict[str, object] = {"p": p, "partial_r2": {"mean": 0.5, "low": low, "high": 0.9}}
    if over is not None:
        values["over_random_weights"] = {"mean": 0.3, "low": over, "high": 0.9}
    return values


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (cell(0.01, 0.1, 0.1), True),
        (cell(0.01, 0.1), True),
        (cell(0.03, 0.1, 0.1), False),
        (cell(0.01, -0.1, 0.1), False),
        (cell(0.01, 0.1, -0.1), False),
    ],
)
def test_foresight_asks_for_all_three(made: dict[str, object], found: bool) -> None:
    sites = {"a": {"5-7s": made}, "b": {"5-7s": cell(1.0, -1.0)}}
    assert foresight(sites, [Horizon("5-7s", 5, 7)], alpha=0.05)["found"] is found
    assert not foresight(sites, [], alpha=0.05)["found"]
