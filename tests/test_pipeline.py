"""dvc.yaml against the code: a stage that depends on too little is reused when it is stale."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from leitmotif.cli.dependencies import MARK, derived_dependencies, with_dependencies
from leitmotif.config import UNWATCHED, Params, load_params
from leitmotif.files.yaml_files import parse_yaml

ROOT = Path(__file__).parents[1]
PIPELINE = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
STAGES: dict[str, dict[str, Any]] = parse_yaml(PIPELINE)["stages"]
WRITE = "run `leitmotif deps`"


@pytest.fixture(scope="module")
def params() -> Params:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # whether model.name is a folder is seen from the root
        return load_params()


def paths(entries: list[Any]) -> list[str]:
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_what_decides_its_result_and_on_nothing_else(
    stage: str, params: Params
) -> None:
    written = STAGES[stage]["deps"]
    derived = derived_dependencies(stage, STAGES[stage]["params"], params, ROOT)
    missing = sorted(set(derived) - set(written))
    assert not missing, f"{stage} does not depend on {', '.join(missing)}: {WRITE}"
    sources = {dep for dep in written if dep.startswith(("src/", "models/"))}
    superfluous = sorted(sources - set(derived))
    assert not superfluous, f"{stage} has no use for {', '.join(superfluous)}: {WRITE}"
    assert len(written) == len(set(written)), f"{stage} names a dependency twice"


def test_dvc_yaml_is_what_the_command_writes(params: Params) -> None:
    assert with_dependencies(PIPELINE, params, ROOT) == PIPELINE, WRITE
    assert PIPELINE.count(MARK) == len(STAGES)


def test_the_lock_is_of_this_code() -> None:
    """Or the committed outputs are those of other code, and the pipeline changes them elsewhere."""
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    stale = set()
    for changes in json.loads(done.stdout.splitlines()[-1]).values():
        for change in changes:
            if change == "changed command":
                stale.add("dvc.yaml")
            elif isinstance(change, dict):
                changed = change.get("changed deps", {})
                stale |= {path for path in changed if path.startswith(("src/", "models/"))}
    assert not stale, f"{', '.join(sorted(stale))} differ: run `dvc repro`, and commit dvc.lock"


def test_inputs_are_tables_of_earlier_stages_or_settings_and_never_metrics() -> None:
    made = {"controls.yaml", "hooks.yaml"}  # in git
    for stage, settings in STAGES.items():
        for dep in settings["deps"]:
            derived = dep.startswith(("src/", "models/"))
            assert derived or dep.startswith("${") or dep in made, f"{stage}: nothing makes {dep}"
        made.update(paths(settings.get("outs", [])))


@pytest.mark.parametrize("stage", STAGES)
def test_the_autoencoders_of_a_stage_are_those_of_the_registry(stage: str) -> None:
    deps = STAGES[stage]["deps"]
    assert ("hooks.yaml" in deps) == any(dep.startswith("models/organism/sae/") for dep in deps)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_the_same_shape(stage: str) -> None:
    settings = STAGES[stage]
    assert settings["cmd"] == f"python -m leitmotif.stages {stage}"
    assert stage in settings["params"]
    assert set(settings["params"]) <= set(Params.model_fields)
    assert settings["metrics"] == [{f"metrics/{stage}.json": {"cache": False}}]
    assert (ROOT / "docs" / "stages" / f"{stage}.md").is_file()
    assert f"stages/{stage}.md" in (ROOT / "docs" / "README.md").read_text(encoding="utf-8")


def test_every_section_of_the_params_is_used() -> None:
    used = {section for settings in STAGES.values() for section in settings["params"]}
    assert used == set(Params.model_fields) - UNWATCHED
