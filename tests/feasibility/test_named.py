"""Settings that name what is not there are refused before anything runs."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from leitmotif.cli.presets import use
from leitmotif.config import Params, load_params, parse_params
from leitmotif.errors import ConfigError
from leitmotif.feasibility.named import check_named
from leitmotif.files.yaml_files import parse_yaml
from tests.musicgen.audiocraft_files import export, language_model, save_audiocraft
from tests.musicgen.audiocraft_files import settings as audiocraft_settings
from tests.tiny import save_tiny_checkpoint, tiny_musicgen

KEPT = ["layers.0.residual", "layers.5.mlp"]


def settings(repo_root: Path, **changed: Any) -> Params:
    values = parse_yaml((repo_root / "presets/organism.yaml").read_text(encoding="utf-8"))
    values["activations"]["sites"] = changed.get("sites", KEPT)
    values["probes"]["comparisons"] = changed.get("comparisons", ["models/organism/reader"])
    values["calibration"]["site"] = changed.get("calibrated", KEPT[0])
    values["sae"]["hooks"] = changed.get("hooks", ["planner-0"])
    return parse_params(values)


def test_sites_that_are_kept_pass(repo_root: Path) -> None:
    check_named(settings(repo_root), repo_root)
    check_named(settings(repo_root, hooks=["planner-1@layers.5.mlp"]), repo_root)


def test_an_autoencoder_that_is_still_to_be_trained_is_left_to_its_stage(
    repo_root: Path, tmp_path: Path
) -> None:
    check_named(settings(repo_root, hooks=["not-trained"]), repo_root)
    check_named(settings(repo_root, comparisons=[]), tmp_path)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"calibrated": "layers.2.residual"}, "layers.2.residual .calibration.site."),
        ({"hooks": ["planner-0", "planner-1"]}, "layers.1.residual .sae.hooks: planner-1."),
        ({"hooks": ["planner-0@layers.3.mlp"]}, "layers.3.mlp .sae.hooks: planner-0@layers.3.mlp."),
    ],
)
def test_a_site_that_is_not_kept_is_named_with_its_setting(
    repo_root: Path, changed: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=named) as refused:
        check_named(settings(repo_root, **changed), repo_root)
    assert "layers.0.residual, layers.5.mlp" in str(refused.value)


def test_a_block_that_the_model_lacks_is_named_with_how_many_there_are(repo_root: Path) -> None:
    with pytest.raises(ConfigError, match=r"layers\.6\.mlp\n.*blocks 0 to 5") as refused:
        check_named(settings(repo_root, sites=[*KEPT, "layers.6.mlp"]), repo_root)
    assert "layers.5" not in str(refused.value)


def test_a_stereo_model_is_refused_before_anything_runs(repo_root: Path, tmp_path: Path) -> None:
    values = settings(repo_root).model_dump(mode="json")
    folder = str(save_tiny_checkpoint(tmp_path, channels=2, layers=6))
    values["model"] |= {"name": folder, "watch": folder}
    with pytest.raises(ConfigError, match="does not run on stereo models"):
        check_named(parse_params(values), repo_root)


def test_the_same_of_checkpoints_of_audiocraft(repo_root: Path, tmp_path: Path) -> None:
    mono = str(save_audiocraft(tiny_musicgen(), tmp_path / "mono"))
    values = settings(repo_root).model_dump(mode="json")
    values["model"] |= {"name": mono, "watch": mono}
    with pytest.raises(ConfigError, match=r"layers\.5\.mlp\n.*blocks 0 to 2"):
        check_named(parse_params(values), repo_root)
    theirs = tiny_musicgen(channels=2)
    stereo = save_audiocraft(theirs, tmp_path / "stereo")
    export(
        stereo / "state_dict.bin",
        language_model(theirs),
        audiocraft_settings(
            transformer_lm__n_q=8,
            codebooks_pattern__delay__delays=[0, 0, 1, 1, 2, 2, 3, 3],
            interleave_stereo_codebooks__use=True,
        ),
    )
    few = settings(repo_root, sites=KEPT[:1]).model_dump(mode="json")
    few["model"] |= {"name": str(stereo), "watch": str(stereo)}
    with pytest.raises(ConfigError, match="does not run on stereo models"):
        check_named(parse_params(few), repo_root)


def test_a_model_to_compare_with_that_is_no_folder_is_named(repo_root: Path) -> None:
    with pytest.raises(ConfigError, match=r"models/nowhere, which is no folder"):
        check_named(settings(repo_root, comparisons=["models/nowhere"]), repo_root)


def test_every_preset_keeps_the_sites_that_it_needs(repo_root: Path) -> None:
    from leitmotif.cli.preset_texts import available, preset

    for name in available(repo_root):
        check_named(parse_params(parse_yaml(preset(name, root=repo_root))), repo_root)


@pytest.fixture
def project(repo_root: Path, tmp_path: Path) -> Path:
    for name in ("presets", "models", "hooks.yaml", "controls.yaml", "concepts.yaml"):
        (tmp_path / name).symlink_to(repo_root / name)
    shutil.copy(repo_root / "params.yaml", tmp_path)
    return tmp_path


def test_use_refuses_it_and_writes_nothing(project: Path) -> None:
    before = (project / "params.yaml").read_bytes()
    with pytest.raises(ConfigError, match="no activations are kept"):
        use("organism", ["activations.sites=[layers.2.residual]"], root=project)
    assert (project / "params.yaml").read_bytes() == before


def test_the_first_stage_says_so(project: Path) -> None:
    text = (project / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(
        text.replace("  site: layers.2.residual", "  site: layers.4.residual"), encoding="utf-8"
    )
    assert load_params(project / "params.yaml").calibration.site == "layers.4.residual"
    done = subprocess.run(
        [sys.executable, "-m", "leitmotif.stages", "corpus"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "layers.4.residual (calibration.site)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "data").exists()
