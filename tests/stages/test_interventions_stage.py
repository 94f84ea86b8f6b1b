"""The intervention stages on a few composed pieces: planner against reader, and four approaches."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from leitmotif.config import Params, load_params
from leitmotif.files import read_table
from leitmotif.pipeline import (
    APPROACHES,
    CLIPS,
    EFFECTS,
    INTERVENTIONS,
    METRICS,
    PROPOSALS,
    VERDICTS,
)
from leitmotif.share.protocol.inputs import Inputs
from leitmotif.share.protocol.run import run_checks
from leitmotif.stages.activations import activations
from leitmotif.stages.calibration import calibration
from leitmotif.stages.corpus import corpus
from leitmotif.stages.features import features
from leitmotif.stages.interchange import interchange
from leitmotif.stages.interventions import interventions
from leitmotif.stages.labels import labels
from leitmotif.stages.manifest import manifest
from leitmotif.stages.probes import probes
from leitmotif.stages.sae import sae
from leitmotif.stages.summary import summary
from leitmotif.tables.approaches import ApproachRow
from leitmotif.tables.effects import EffectRow, VerdictRow, identity
from leitmotif.tables.interventions import read_log
from leitmotif.tables.proposals import write_proposals

SITES = ["layers.0.residual", "layers.3.residual"]
PIECES = 16


def small(repo_root: Path) -> Params:
    whole = load_params(repo_root / "presets" / "organism.yaml").model_dump()
    whole["corpus"]["pieces"] = 24
    whole["manifest"]["tracks"] = 16
    whole["activations"]["sites"] = SITES
    whole["sae"] |= {"hooks": ["planner-0", "planner-3"], "spliced_tracks": 2}
    whole["probes"] |= {
        "folds": 4,
        "permutations": 199,
        "shifts": 99,
        "seeds": 1,
        "comparisons": ["models/organism/reader"],
    }
    whole["calibration"] |= {"site": SITES[0], "targets": 10, "each": 1, "permutations": 99}
    whole["interchange"]["tracks"] = PIECES
    whole["interventions"] |= {
        "tracks": PIECES,
        "candidates": 1,
        "doses": [2.0],
        "kept_tracks": 1,
        "random": 1,
        "position_shift_seconds": 0.5,
    }
    return Params.model_validate(whole)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """A folder in which the stages have run; not to be written to."""
    folder = tmp_path_factory.mktemp("interventions")
    for name in ("controls.yaml", "hooks.yaml"):
        shutil.copy(repo_root / name, folder)
    (folder / "models").symlink_to(repo_root / "models")
    chosen = small(repo_root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "data/decisions").mkdir(parents=True)
        for stage in (corpus, manifest, features, activations):
            stage(chosen)
        write_proposals(PROPOSALS, [])
        for stage in (labels, sae, probes, calibration, interchange, interventions):
            stage(chosen)
    return folder


@pytest.fixture
def params(finished: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """The finished folder is the working directory, for tests that only read."""
    monkeypatch.chdir(finished)
    return small(repo_root)


def metrics(name: str) -> Any:
    return json.loads((METRICS / f"{name}.json").read_text())


def test_the_verdicts_are_the_true_ones(params: Params) -> None:
    values = metrics("interventions")
    assert values["verdicts"] == {"planner": "foresight", "reader": "look-back"}
    verdicts = {(row.model, row.candidate): row for row in read_table(VERDICTS, VerdictRow)}
    carrier, inert = (verdicts["planner", site] for site in SITES)
    assert carrier.effect
    assert inert.effect
    assert (carrier.verdict, inert.verdict) == ("foresight", "decodable, not causal")
    assert carrier.effect.mean > 50
    assert abs(inert.effect.mean) <= 100 / PIECES  # one piece may change by chance
    of_reader = [row.effect for row in verdicts.values() if row.model == "reader"]
    assert [effect and effect.mean for effect in of_reader] == [0, 0]
    effects = read_table(EFFECTS, EffectRow)
    other = next(row for row in effects if (row.model, row.name) == ("reader", "counterfactual"))
    assert other.towards_source
    assert other.towards_source.mean > 50
    written_back, changed = identity(effects)
    assert written_back > 0
    assert changed == values["identity_changed"] == 0
    strongest, carried = values["strongest"]["planner"], carrier.effect.model_dump(mode="json")
    assert carried.items() <= strongest.items()
    assert strongest["least"] <= strongest["likely"] <= strongest["mean"]  # it was in reach
    assert values["carriers"] == {"planner": {SITES[0]: carried}}
    assert list(values["decodable_not_causal"]["planner"]) == [SITES[1]]


def test_a_shift_of_positions_is_an_effect_and_no_evidence(params: Params) -> None:
    effects = read_table(EFFECTS, EffectRow)
    shifted = [row for row in effects if row.condition == "position_shift"]
    assert [(row.model, row.candidate, row.name, row.strength, row.tested) for row in shifted] == [
        (model, "", "position_shift", 25.0, False) for model in ("planner", "reader")
    ]
    assert all(row.clips == PIECES and row.changed and row.towards_source for row in shifted)
    assert metrics("interventions")["position_shift"].keys() == {"planner", "reader"}
    assert not any(row.candidate == "" for row in read_table(VERDICTS, VerdictRow))


def test_each_verdict_rests_on_one_condition_whose_clips_the_log_has(params: Params) -> None:
    effects = read_table(EFFECTS, EffectRow)
    for row in read_table(VERDICTS, VerdictRow):
        of_row = [e for e in effects if (e.model, e.candidate) == (row.model, row.candidate)]
        (tested,) = (tried for tried in of_row if tried.tested)
        assert tested.name == "patch_ahead"
        assert tested.towards_source == row.effect
        assert len({tried.name for tried in of_row}) == len(of_row)
        (control,) = (tried for tried in of_row if tried.condition == "control")
        assert control.source == "control"
        assert control.window == tested.window
    logged = Counter((Path(r.model).name, r.candidate, r.name) for r in read_log(INTERVENTIONS))
    assert logged == {(row.model, row.candidate, row.name): row.clips for row in effects}


def test_the_protocol_passes_and_clips_come_out_again(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leitmotif.share.protocol.inputs.load_params", lambda: params)
    found = {line.id: line for line in run_checks(Inputs(replay=2)).lines}
    elsewhere = {"templates", "settings", "outputs", "git", "report", "routing"}  # no repository
    odd = {
        name: line.evidence
        for name, line in found.items()
        if line.status != "pass" and name not in elsewhere
    }
    # With so few targets the error rate is that of a coin or two.
    odd.pop("calibration", None)
    assert odd == {}
    assert found["replay"].evidence.startswith("2 of ")


def test_every_clip_is_in_the_log_and_the_kept_ones_can_be_heard(params: Params) -> None:
    rows = read_log(INTERVENTIONS)
    assert len({row.clip_id for row in rows}) == metrics("interventions")["clips"]
    kept = {row.file for row in rows if row.file is not None}
    assert kept
    assert {row.track_id for row in rows if row.file is not None} == {rows[0].track_id}
    assert {f"{CLIPS.name}/{path.name}" for path in CLIPS.iterdir()} == kept
    assert len({row.track_id for row in rows}) == PIECES


def test_the_approaches_differ_in_one_setting(
    finished: Path, tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shutil.copytree(finished, tmp_path / "workspace", symlinks=True))
    summary(small(repo_root))
    rows = {row.name: row for row in read_table(APPROACHES, ApproachRow)}
    assert list(rows) == [
        "naive correlation",
        "local continuity",
        "misaligned autoencoder",
        "aligned and causal",
    ]
    values = metrics("summary")["approaches"]
    for name, row in rows.items():
        if row.features:
            assert row.clap_similarity
            assert row.delta_recurrence
            assert 0 <= row.clap_similarity.mean <= 1
            assert row.delta_recurrence.n == PIECES
        else:
            assert row.delta_recurrence is row.screened is None
        written = row.model_dump(mode="json")
        assert (values[name]["r2"], values[name]["verdict"]) == (row.r2, row.verdict)
        assert values[name]["clap"] == written["clap_similarity"]
        assert values[name]["delta_recurrence"] == written["delta_recurrence"]
    misaligned = rows["misaligned autoencoder"]
    assert misaligned.features == [] or misaligned.site == SITES[1]
