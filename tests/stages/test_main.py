"""The command that dvc.yaml runs for each stage."""

import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from leitmotif.cli.preset_texts import preset
from leitmotif.files.yaml_files import parse_yaml, read_yaml
from leitmotif.stages.__main__ import STAGES, main
from leitmotif.work import WORKERS


def test_the_stages_are_those_of_the_pipelines(repo_root: Path) -> None:
    pipelines = (repo_root / "dvc.yaml", repo_root / "data/sources/dvc.yaml")
    assert set(STAGES) == {name for path in pipelines for name in read_yaml(path)["stages"]}
    for name, late in STAGES.items():
        assert callable(getattr(import_module(f"leitmotif.stages.{name}"), name))
        assert all(find_spec(module) for module in late or ())


@pytest.mark.parametrize(
    "arguments", [[], [""], ["no_such"], ["plots"], ["../corpus"], ["corpus", "manifest"]]
)
def test_what_is_no_stage_is_named(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match=r"(?s)no stage.*corpus, manifest"):
        main(arguments)


def test_a_number_of_processes_that_is_none_is_said_in_a_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "leitmotif.stages", "corpus"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, WORKERS: "two"},
    )
    assert done.returncode == 1
    assert done.stderr.startswith("corpus: ")
    assert "Traceback" not in done.stderr


def test_nothing_heavy_is_imported_before_the_processes_begin() -> None:
    code = (
        "import sys, leitmotif.stages.__main__\n"
        "print([m for m in ('torch', 'pydantic', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_judge_that_cannot_be_loaded_is_found_before_the_trials_of_recordings(
    repo_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def begun(_: object) -> None:
        raise AssertionError("the stage has begun")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(WORKERS, "1")
    monkeypatch.setattr("leitmotif.stages.interchange.interchange", begun)
    settings = parse_yaml(preset("folder", root=repo_root))
    (tmp_path / "judge").mkdir()
    for name in ("controls.yaml", "models", "hooks.yaml", "concepts.yaml"):
        (tmp_path / name).symlink_to(repo_root / name)
    settings["judge"]["clap"] = "judge"
    (tmp_path / "params.yaml").write_text(json.dumps(settings))
    with pytest.raises(SystemExit):
        main(["interchange"])
    assert "judge" in capsys.readouterr().err
    settings["judge"]["clap"] = "models/organism/judges/clap"
    (tmp_path / "params.yaml").write_text(json.dumps(settings))
    with pytest.raises(AssertionError, match="has begun"):
        main(["interchange"])
