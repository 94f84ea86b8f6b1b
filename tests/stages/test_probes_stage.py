"""The probes' stages on sixteen composed pieces: the planner foresees, the reader does not."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from leitmotif.claims import Claims
from leitmotif.config import Params, load_params
from leitmotif.errors import ProbeError
from leitmotif.files import read_table, write_table
from leitmotif.pipeline import (
    ACTIVATIONS,
    CALIBRATION,
    CANDIDATES,
    COVERAGE,
    HORIZONS,
    METRICS,
    PLOTS,
    PROBES,
    PROPOSALS,
)
from leitmotif.stages.activations import activations
from leitmotif.stages.calibration import calibration
from leitmotif.stages.corpus import corpus
from leitmotif.stages.features import features
from leitmotif.stages.labels import labels
from leitmotif.stages.manifest import manifest
from leitmotif.stages.probes import probes
from leitmotif.stages.sae import sae
from leitmotif.store.reading import ActivationStore
from leitmotif.store.reading.header import TENSOR
from leitmotif.store.reading.index import file_of
from leitmotif.tables.calibration import CalibrationRow
from leitmotif.tables.candidates import CandidateRow
from leitmotif.tables.labels import Coverage
from leitmotif.tables.probes import HorizonRow, ProbeRow
from leitmotif.tables.proposals import write_proposals
from leitmotif.tensors import write_tensors

SITES = ["layers.0.residual", "layers.1.residual"]


def small(repo_root: Path) -> Params:
    whole = load_params(repo_root / "presets" / "organism.yaml").model_dump()
    whole["corpus"]["pieces"] = 24
    whole["manifest"]["tracks"] = 16
    whole["activations"]["sites"] = SITES
    whole["sae"] |= {"hooks": ["planner-1"], "spliced_tracks": 2}
    whole["probes"] |= {
        "horizons": [[1.0, 3.0], [3.0, 5.0], [5.0, 7.0]],
        "minimum_seconds": 5.0,
        "folds": 4,
        "permutations": 199,
        "shifts": 99,
        "seeds": 2,
        "comparisons": ["models/organism/reader"],
    }
    whole["calibration"] |= {
        "site": SITES[1],
        "targets": 30,
        "each": 2,
        "strengths": [0.05, 0.6],
        "permutations": 99,
    }
    return Params.model_validate(whole)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """A folder in which the stages have run; not to be written to."""
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
    return folder


@pytest.fixture
def workspace(finished: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """The finished folder is the working directory, for tests that only read."""
    monkeypatch.chdir(finished)
    return small(repo_root)


@pytest.fixture
def own_workspace(
    finished: Path, tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> Params:
    """A copy of the finished folder is the working directory."""
    monkeypatch.chdir(shutil.copytree(finished, tmp_path / "workspace", symlinks=True))
    return small(repo_root)


def metrics(name: str) -> Any:
    return json.loads((METRICS / f"{name}.json").read_text())


def test_the_planner_foresees_and_the_reader_does_not(workspace: Params) -> None:
    rows = read_table(PROBES, ProbeRow)
    assert list(dict.fromkeys(row.model for row in rows)) == ["planner", "reader", "random_weights"]
    cells = {row.model: row for row in rows if (row.site, row.horizon) == (SITES[1], "5-7s")}
    planner, reader, nothing = cells.values()
    assert planner.partial_r2.low > 0.1 > reader.partial_r2.high
    assert planner.robustness.low > 0.2
    assert planner.over_random_weights
    assert planner.over_random_weights.low > 0.1
    assert nothing.over_random_weights is None
    assert planner.naive
    assert planner.selectivity
    assert reader.naive is reader.selectivity is None
    assert not any(row.exploratory for row in rows)
    values = metrics("probes")
    assert {name: model["foresight"] for name, model in values["models"].items()} == {
        "planner": True,
        "reader": False,
        "random_weights": False,
    }
    claimed = [row for row in rows if (row.model, row.horizon) == ("planner", "5-7s")]
    most = max(row.partial_r2.mean for row in claimed)
    assert values["models"]["planner"]["partial_r2"]["mean"] == most
    found = Claims.of(workspace.probes).foresight([row for row in rows if row.model == "planner"])
    assert found is not None
    assert values["site"] == found.site


def test_each_horizon_says_what_was_tested_on_how_many_rows(workspace: Params) -> None:
    rows = read_table(HORIZONS, HorizonRow)
    assert [(row.horizon, row.claimed) for row in rows] == [
        ("1-3s", False),
        ("3-5s", False),
        ("5-7s", True),
    ]
    assert {row.tracks for row in rows} == {16}
    assert [row.tested is None for row in rows] == [False, True, False]
    assert all(0 < row.events < 1 for row in rows)
    counts = {"tested": rows[-1].tested, "chosen": rows[-1].chosen}
    assert metrics("probes")["candidates"] == counts


def test_candidates_are_ranked_and_all_features_were_tested(workspace: Params) -> None:
    rows = read_table(CANDIDATES, CandidateRow)
    counts = {row.horizon: row for row in read_table(HORIZONS, HorizonRow) if row.tested}
    assert set(counts) == {"1-3s", "5-7s"}
    for horizon, count in counts.items():
        ranked = [row for row in rows if row.horizon == horizon]
        assert [row.rank for row in ranked] == list(range(1, len(ranked) + 1))
        assert len(ranked) == min(count.chosen or 0, workspace.probes.candidates)
        assert count.least_chosen == 1
        assert all(row.q <= 0.05 and row.low <= row.effect <= row.high for row in ranked)
        assert [row.q for row in ranked] == sorted(row.q for row in ranked)
    # The residual's coordinates where there is no autoencoder, its features where there is one.
    plotted = pd.read_csv(PLOTS / "candidates.csv")
    chosen = plotted[plotted["count"] == "chosen"]
    assert chosen["features"].sum() == counts["5-7s"].chosen
    tested = plotted[plotted["count"] == "tested"].groupby("site")["features"].sum()
    assert tested.sum() == counts["5-7s"].tested
    assert tested[SITES[0]] == 128
    assert 16 < tested[SITES[1]] < 1024
    hooks = {(row.site, row.hook) for row in rows}
    assert hooks <= {(SITES[0], None), (SITES[1], "planner-1")}


@pytest.mark.fault("activations", "features that have heard the future", outcome="the run fails")
def test_features_that_have_heard_the_future_fail_the_run(own_workspace: Params) -> None:
    """The stored features of one track are those of half a second later."""
    assert {row.heard_ahead <= 0.074 for row in read_table(HORIZONS, HorizonRow)} == {True}
    store = ActivationStore(ACTIVATIONS)
    track_id = store.tracks(SITES[0])[0]
    path = ACTIVATIONS / file_of(SITES[0], track_id)
    metadata = store.header(SITES[0], track_id).to_metadata()
    early = np.roll(store.load(SITES[0], track_id), -25, axis=0)
    write_tensors(path, {TENSOR: early}, metadata)
    with pytest.raises(ProbeError, match="are not what the model says"):
        probes(own_workspace)


def test_each_control_is_left_out_once(workspace: Params) -> None:
    table = pd.read_csv(PLOTS / "controls.csv")
    names = {"none", "position", "track_identity", "local_chroma", "local_energy"}
    names |= {"onset_density", "source_artifacts", "continuity"}
    assert set(table["left_out"]) == names
    assert set(table["horizon"]) == {"1-3s", "3-5s", "5-7s"}
    lines = pd.read_csv(PLOTS / "probes.csv")
    assert len(lines) == 3 * 2 * 3
    assert (lines["low"] <= lines["partial_r2"]).all()


def test_calibration_counts_false_positives_and_power(own_workspace: Params) -> None:
    calibration(own_workspace)
    rows = read_table(CALIBRATION, CalibrationRow)
    assert [row.kind for row in rows] == ["all", *["null"] * 7, *["planted"] * 2]
    assert {row.controlled.n for row in rows} == {30}
    values = metrics("calibration")
    assert values["fpr_naive"] == rows[0].model_dump(mode="json")["naive"]
    assert values["fpr_controlled"]["mean"] < 0.2
    assert values["power"]["0.6"]["mean"] > values["power"]["0.05"]["mean"]
    table = pd.read_csv(PLOTS / "calibration.csv")
    assert set(table["test"]) == {"nominal", "naive", "controlled", "planted 0.05", "planted 0.6"}
    assert (table[table["level"] == 1.0]["share"] == 1).all()


def test_tracks_of_which_nothing_is_known_stop_the_stage(own_workspace: Params) -> None:
    before = read_table(COVERAGE, Coverage)
    undecided = [
        row.model_copy(update={"pending": 1, "known": [], "complete": False}) for row in before
    ]
    write_table(COVERAGE, undecided)
    with pytest.raises(ProbeError, match="of no track it is known where nothing returns"):
        probes(own_workspace)
