"""The probes' stages on sixteen composed pieces: the planner foresees, the reader does not."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from leitmotif.config import Params, load_params
from leitmotif.errors import ProbeError
from leitmotif.files import read_table, write_table
from leitmotif.tables.candidates import CandidateRow
from leitmotif.probe.targets import Horizon
from leitmotif.recurrence.queue import write_proposals
from leitmotif.review.labels import Coverage
from leitmotif.stages import ACTIVATIONS, CANDIDATES, COVERAGE, METRICS, PLOTS, PROPOSALS
from leitmotif.stages.activations import activations
from leitmotif.stages.calibration import calibration
from leitmotif.stages.corpus import corpus
from leitmotif.stages.features import features
from leitmotif.stages.labels import labels
from leitmotif.stages.manifest import manifest
from leitmotif.stages.probes import foresight, probes
from leitmotif.stages.sae import sae
from leitmotif.store import ActivationStore
from leitmotif.store.header import TENSOR
from leitmotif.store.index import file_of
from leitmotif.tensors import write_tensors

SITES = ["layers.0.residual", "layers.1.residual"]


def small(repo_root: Path) -> Params:
    whole = load_params(repo_root / "presets" / "organism.yaml").model_dump()
    whole["corpus"]["pieces"] = 24
    whole["manifest"]["tracks"] = 16
    whole["activations"]["sites"] = SITES
    whole["sae"] |= {"hooks": ["planner-1"], "spliced_tracks": 2}
    whole["probes"] |= {
        "folds": 4,
        "permutations": 199,
        "shifts": 99,
        "seeds": 2,
        "comparisons": ["models/organism/reader"],
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
    for name in ("controls.yaml", "hooks.yaml"):
        shutil.copy(repo_root / name, folder)
    (folder / "models").symlink_to(repo_root / "models")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "data/decisions").mkdir(parents=True)
        params = small(repo_root)
        for stage in (corpus, manifest, features, activations, sae):
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
    assert cells["planner"]["partial_r2"]["low"] > 0.2 > cells["reader"]["partial_r2"]["high"]
    assert cells["planner"]["over_random_weights"]["low"] > 0.2
    assert "over_random_weights" not in cells["random_weights"]
    assert found["tracks"] == 16
    assert not found["exploratory"]


def test_candidates_are_ranked_and_all_features_were_tested(workspace: Params) -> None:
    rows = read_table(CANDIDATES, CandidateRow)
    counts = metrics("probes")["candidates"]
    assert set(counts) == {"1-3s", "5-7s"}
    for horizon, count in counts.items():
        ranked = [row for row in rows if row.horizon == horizon]
        assert [row.rank for row in ranked] == list(range(1, len(ranked) + 1))
        assert len(ranked) == min(count["chosen"], workspace.probes.candidates)
        assert all(row.q <= 0.05 and row.low <= row.effect <= row.high for row in ranked)
        assert [row.q for row in ranked] == sorted(row.q for row in ranked)
    # The residual's coordinates where there is no autoencoder, its features where there is one.
    plotted = pd.read_csv(PLOTS / "candidates.csv")
    assert len(plotted) == counts["5-7s"]["tested"]
    tested = plotted.groupby("site")["feature"]
    assert tested.count()[SITES[0]] == 128
    assert 16 < tested.count()[SITES[1]] < 1024
    assert tested.max()[SITES[1]] >= 128
    hooks = {(row.site, row.hook) for row in rows}
    assert hooks <= {(SITES[0], None), (SITES[1], "planner-1")}


def test_features_that_have_heard_the_future_fail_the_run(workspace: Params) -> None:
    """The stored features of one track are those of half a second later."""
    assert metrics("probes")["seconds_heard_ahead"] <= 0.074
    store = ActivationStore(ACTIVATIONS)
    track_id = store.tracks(SITES[0])[0]
    path = ACTIVATIONS / file_of(SITES[0], track_id)
    before = path.read_bytes()
    metadata = store.header(SITES[0], track_id).to_metadata()
    early = np.roll(store.load(SITES[0], track_id), -25, axis=0)
    path.unlink()  # it may share its blocks with the work cache
    write_tensors(path, {TENSOR: early}, metadata)
    try:
        with pytest.raises(ProbeError, match="are not what the model says"):
            probes(workspace)
    finally:
        path.write_bytes(before)


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
    assert set(table["test"]) == {"nominal", "naive", "controlled", "planted 0.05", "planted 0.6"}
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
