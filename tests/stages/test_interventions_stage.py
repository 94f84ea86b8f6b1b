"""The intervention stages on a few composed pieces: planner against reader, and four approaches."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leitmotif.causal.log import read_log
from leitmotif.config import Params, load_params
from leitmotif.recurrence.queue import write_proposals
from leitmotif.stages import CLIPS, INTERVENTIONS, METRICS, PROPOSALS
from leitmotif.stages.activations import activations
from leitmotif.stages.calibration import calibration
from leitmotif.stages.corpus import corpus
from leitmotif.stages.features import features
from leitmotif.stages.interventions import interventions
from leitmotif.stages.labels import labels
from leitmotif.stages.manifest import manifest
from leitmotif.stages.probes import probes
from leitmotif.stages.sae import sae
from leitmotif.stages.summary import summary

SITES = ["layers.1.residual", "layers.3.residual"]


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Iterator[Params]:
    folder = tmp_path_factory.mktemp("interventions")
    for name in ("controls.yaml", "hooks.yaml"):
        shutil.copy(repo_root / name, folder)
    (folder / "models").symlink_to(repo_root / "models")
    whole = load_params(repo_root / "presets" / "organism.yaml").model_dump()
    whole["corpus"]["pieces"] = 24
    whole["manifest"]["tracks"] = 16
    whole["activations"]["sites"] = SITES
    whole["sae"] |= {"hooks": ["planner-1", "planner-3"], "spliced_tracks": 2}
    whole["probes"] |= {
        "folds": 4,
        "permutations": 199,
        "shifts": 99,
        "seeds": 1,
        "comparisons": ["models/organism/reader"],
    }
    whole["calibration"] |= {"site": SITES[0], "each": 20, "permutations": 99}
    whole["interventions"] |= {"tracks": 10, "candidates": 1, "kept_tracks": 1, "random": 1}
    chosen = Params.model_validate(whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "data/decisions").mkdir(parents=True)
        for stage in (corpus, manifest, features, activations):
            stage(chosen)
        write_proposals(PROPOSALS, [])
        for stage in (labels, sae, probes, calibration, interventions):
            stage(chosen)
        yield chosen


def metrics(name: str) -> Any:
    return json.loads((METRICS / f"{name}.json").read_text())


def test_the_verdicts_are_the_true_ones(params: Params) -> None:
    found = metrics("interventions")
    assert found["verdicts"] == {"planner": "foresight", "reader": "look-back"}
    planner, reader = found["models"]["planner"], found["models"]["reader"]
    assert planner["carriers"] == [SITES[0]]
    assert planner["decodable_but_inert"] == [SITES[1]]
    assert planner["candidates"][SITES[0]]["effect"]["mean"] > 50
    assert planner["candidates"][SITES[1]]["effect"]["mean"] == 0
    assert reader["carriers"] == []
    assert all(one["effect"]["mean"] == 0 for one in reader["candidates"].values())
    assert reader["counterfactual"]["towards_source"]["mean"] > 50
    for model in (planner, reader):
        assert model["identity"]["clips"] > 0
        assert model["identity"]["changed"] == 0


def test_every_clip_is_in_the_log_and_the_kept_ones_can_be_heard(params: Params) -> None:
    rows = read_log(INTERVENTIONS)
    assert len({row.clip_id for row in rows}) == metrics("interventions")["clips"]
    kept = {row.file for row in rows if row.file is not None}
    assert kept
    assert {row.track_id for row in rows if row.file is not None} == {rows[0].track_id}
    assert {f"{CLIPS.name}/{path.name}" for path in CLIPS.iterdir()} == kept
    assert len({row.track_id for row in rows}) == 10


def test_a_second_run_takes_its_clips_from_the_cache(params: Params) -> None:
    before = INTERVENTIONS.read_bytes(), (METRICS / "interventions.json").read_bytes()
    interventions(params)
    assert (INTERVENTIONS.read_bytes(), (METRICS / "interventions.json").read_bytes()) == before


def test_the_approaches_differ_in_one_setting(params: Params) -> None:
    summary(params)
    found = metrics("summary")
    rows = {row["name"]: row for row in found["approaches"]}
    assert list(rows) == [
        "naive correlation",
        "local continuity",
        "misaligned autoencoder",
        "aligned and causal",
    ]
    for row in rows.values():
        if row["features"]:
            assert 0 <= row["clap"] <= 1
            assert row["delta_recurrence"]["n"] == 10
        else:
            assert row["delta_recurrence"] is None
        # What `dvc metrics diff` can show: numbers below names, no list.
        assert found["table"][row["name"]]["r2"] == row["r2"]
        assert found["table"][row["name"]]["delta_recurrence"] == row["delta_recurrence"]
    assert found["fpr_naive"] == metrics("calibration")["fpr_naive"]
    misaligned = rows["misaligned autoencoder"]
    assert misaligned["features"] == [] or misaligned["site"] == SITES[1]
