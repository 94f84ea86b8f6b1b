"""The sae stage on eight composed pieces, with the organism's own autoencoders."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from leitmotif.config import Params, load_params
from leitmotif.errors import ConfigError, ModelError
from leitmotif.files import read_json, read_table, sha256_file, write_json
from leitmotif.pipeline import ALIGNMENT, METRICS, PLOTS, SAE
from leitmotif.sae.autoencoder.encode import read_codes
from leitmotif.sae.autoencoder.registry import FolderCheckpoint, Hook, load_registry, register
from leitmotif.stages.activations import activations
from leitmotif.stages.corpus import corpus
from leitmotif.stages.features import features
from leitmotif.stages.manifest import manifest
from leitmotif.stages.sae import sae
from leitmotif.tables.alignment import AlignmentRow

SITES = ["layers.0.residual", "layers.1.residual", "layers.2.residual"]
Changed = Callable[..., Params]


def small(repo_root: Path, **settings: Any) -> Params:
    """The preset of the organism made small, with settings of the stage."""
    whole = load_params(repo_root / "presets" / "organism.yaml").model_dump()
    whole["corpus"]["pieces"] = 12
    whole["manifest"]["tracks"] = 8
    whole["activations"]["sites"] = SITES
    whole["sae"] |= {"hooks": ["planner-0", "planner-1"], "spliced_tracks": 2, **settings}
    return Params.model_validate(whole)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """A folder as the stages before this one leave it; not to be written to."""
    folder = tmp_path_factory.mktemp("sae")
    shutil.copy(repo_root / "hooks.yaml", folder)
    (folder / "models").symlink_to(repo_root / "models")
    params = small(repo_root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in (corpus, manifest, features, activations):
            stage(params)
    return folder


@pytest.fixture
def changed(
    inputs: Path, tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> Changed:
    """A copy of the inputs is the working directory; changes settings of the stage."""
    monkeypatch.chdir(shutil.copytree(inputs, tmp_path / "workspace", symlinks=True))
    return partial(small, repo_root)


def metrics() -> Any:
    return json.loads((METRICS / "sae.json").read_text())


def given() -> dict[str, AlignmentRow]:
    """Rows of the sites whose activations autoencoders are given, by autoencoder."""
    return {row.hook: row for row in read_table(ALIGNMENT, AlignmentRow) if row.audit is not None}


def lie_about_layer_1(repo_root: Path) -> None:
    """Everything that is declared says layer 1; the weights are those of layer 0."""
    truth = load_registry(repo_root / "hooks.yaml")["planner-0"]
    folder = Path("liar")
    shutil.copytree(repo_root / "models/organism/sae" / SITES[0], folder)
    values = read_json(folder / "cfg.json")
    values["metadata"]["hook_name"] = SITES[1]
    write_json(folder / "cfg.json", values)
    checkpoint = FolderCheckpoint(
        source="folder",
        path="liar",
        sha256=sha256_file(folder / "sae_weights.safetensors"),
        config_sha256=sha256_file(folder / "cfg.json"),
    )
    lie = truth.model_copy(update={"name": "liar", "site": SITES[1], "checkpoint": checkpoint})
    register(lie)


def test_what_is_aligned_passes_and_what_is_not_would_be_caught(changed: Changed) -> None:
    sae(changed())
    rows = read_table(ALIGNMENT, AlignmentRow)
    assert [(row.hook, row.site) for row in rows] == [
        (hook, site) for hook in ("planner-0", "planner-1") for site in SITES
    ]
    own = given()
    assert [(name, row.site, row.misaligned) for name, row in own.items()] == [
        ("planner-0", SITES[0], ""),
        ("planner-1", SITES[1], ""),
    ]
    assert all(
        row.audit and row.audit.passed and row.audit.best == row.site for row in own.values()
    )
    assert own["planner-1"].fvu.mean < 0.1
    # One neighbour of layer 0, two of layer 1; each as it is and falsified.
    tried = [(row.hook, row.site) for row in rows for trial in row.trials if trial.falsified]
    assert tried == [("planner-0", SITES[1]), ("planner-1", SITES[0]), ("planner-1", SITES[2])]
    for row in rows:
        assert all(trial.caught for trial in row.trials)
        assert {trial.best for trial in row.trials} <= {None, own[row.hook].site}
    assert all(row.trained and row.trained.site == row.site for row in own.values())
    assert all(row.loss_recovered and row.loss_recovered.low > 0.8 for row in own.values())
    assert own["planner-0"].encoded
    assert own["planner-0"].encoded.most <= 16
    values = metrics()
    assert (values["audits_passed"], values["audits_failed"]) == (2, 0)
    assert (values["misalignments_tried"], values["misalignments_caught"]) == (6, 6)
    margins = [row.audit.margin.mean for row in own.values() if row.audit]
    assert values["least_margin"]["mean"] == min(margins)
    assert values["least_loss_recovered"]["high"] < 1
    files = sorted((SAE / "planner-1").iterdir())
    assert len(files) == 8
    codes, header = read_codes(files[0])
    assert (codes.rows, header.site, header.misaligned) == (416, SITES[1], "")
    table = pd.read_csv(PLOTS / "sae.csv")
    assert len(table) == 2 * 3
    assert table.loc[table.groupby("autoencoder")["fvu"].idxmin(), "site"].tolist() == SITES[:2]


def test_a_misaligned_pair_stops_the_stage_or_is_branded(changed: Changed) -> None:
    sae(changed())
    before = (METRICS / "sae.json").read_bytes()
    pair = "planner-1@hook_layers.2"
    with pytest.raises(ModelError, match=r"activations layers\.2\.residual, autoencoder layers\.1"):
        sae(changed(hooks=[pair]))
    assert (METRICS / "sae.json").read_bytes() == before
    sae(changed(hooks=[pair], allow_misaligned=True))
    row = given()["planner-1"]
    assert row.site == SITES[2]
    assert "site: activations layers.2.residual" in str(row.misaligned)
    assert row.audit
    assert (row.audit.passed, row.audit.best) == (False, SITES[1])
    assert metrics()["audits_failed"] == 1
    for path in (SAE / "planner-1").iterdir():
        assert read_codes(path)[1].misaligned.startswith("MISALIGNED")


def test_two_autoencoders_at_one_site_have_losses_of_their_own(changed: Changed) -> None:
    sae(changed(hooks=["planner-1", "planner-0@layers.1.residual"], allow_misaligned=True))
    own, other = (row.loss_recovered for row in given().values())
    assert own
    assert other
    assert own.mean != other.mean


@pytest.mark.fault(
    "autoencoder", "registry and folder that lie alike", outcome="measured and stopped"
)
def test_a_lie_in_registry_and_folder_is_measured(changed: Changed, repo_root: Path) -> None:
    lie_about_layer_1(repo_root)
    with pytest.raises(ModelError, match=r"does not reconstruct its site best(?s:.*)layers\.0"):
        sae(changed(hooks=["liar"]))


@pytest.mark.fault(
    "autoencoder",
    "off by one, stored sites four blocks apart",
    outcome="neighbours are captured, measured and stopped",
)
def test_off_by_one_is_caught_between_sites_that_lie_far_apart(
    changed: Changed, repo_root: Path
) -> None:
    """The spacing of the preset musicgen-small: the block beside is not stored."""
    far = {"activations": {"sites": [SITES[1], "layers.5.residual"]}}

    def spaced(**settings: Any) -> Params:
        values = changed(**settings).model_dump()
        values["activations"] |= far["activations"]
        return Params.model_validate(values)

    activations(spaced())
    sae(spaced(hooks=["planner-1"]))
    rows = read_table(ALIGNMENT, AlignmentRow)
    assert [row.site for row in rows] == [*SITES, "layers.5.residual"]
    assert [bool(row.trials) for row in rows] == [True, False, True, False]
    assert given()["planner-1"].audit
    before = (METRICS / "sae.json").read_bytes()
    lie_about_layer_1(repo_root)
    with pytest.raises(ModelError, match=r"does not reconstruct its site best(?s:.*)layers\.0"):
        sae(spaced(hooks=["liar"]))
    assert (METRICS / "sae.json").read_bytes() == before


def test_without_autoencoders_the_stage_says_so(changed: Changed) -> None:
    sae(changed(hooks=[]))
    assert read_table(SAE / "hooks.jsonl", Hook) == []
    assert (SAE / "hooks.jsonl").stat().st_size  # of a folder or file with nothing DVC warns
    assert list(SAE.iterdir()) == [SAE / "hooks.jsonl"]
    assert read_table(ALIGNMENT, AlignmentRow) == []
    assert (metrics()["audits_passed"], metrics()["least_margin"]) == (0, None)
    assert pd.read_csv(PLOTS / "sae.csv").empty
    with pytest.raises(ConfigError, match="no autoencoder 'planner-9'"):
        sae(changed(hooks=["planner-9"]))
