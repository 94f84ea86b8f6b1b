"""dvc.yaml against the code: a stage that depends on too little is reused when it is stale."""

import ast
from pathlib import Path
from typing import Any

import pytest

from leitmotif.config import Params, load_params, parse_yaml

ROOT = Path(__file__).parents[1]
STAGES: dict[str, dict[str, Any]] = parse_yaml((ROOT / "dvc.yaml").read_text())["stages"]
# How settings, errors, files and progress are handled decides no result.
HOUSE = {
    "config.py", "durations.py", "errors.py", "files.py", "progress.py", "stages/__init__.py",
}  # fmt: skip
SOURCE = ROOT / "src" / "leitmotif"


def module_files(name: str) -> list[Path]:
    """The file of a dotted module of this package and those of the packages above it."""
    parts = name.split(".")[1:]
    files = [SOURCE.joinpath(*parts[:depth], "__init__.py") for depth in range(len(parts) + 1)]
    if parts:
        files.append(SOURCE.joinpath(*parts).with_suffix(".py"))
    return [path for path in files if path.exists()]


def imports(path: Path) -> set[Path]:
    """Files of this package that a file imports, at the top or inside a function."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] == "leitmotif":
                found.update(module_files(name))
    return found


def reachable(path: Path) -> set[Path]:
    """``path`` and everything of this package that it imports, less what decides no result."""
    seen, waiting = set(), [path]
    while waiting:
        current = waiting.pop()
        if current not in seen and current.relative_to(SOURCE).as_posix() not in HOUSE:
            seen.add(current)
            waiting.extend(imports(current))
    return seen


def paths(entries: list[Any]) -> list[str]:
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_every_module_that_decides_its_result(stage: str) -> None:
    deps = [ROOT / dep for dep in STAGES[stage]["deps"]]
    needed = reachable(SOURCE / "stages" / f"{stage}.py")
    for module in sorted(needed):
        covered = any(dep in (module, *module.parents) for dep in deps)
        assert covered or module.name == "__init__.py", (
            f"{stage} imports {module.relative_to(ROOT)}, which is not among its deps"
        )


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_no_module_that_it_does_not_import(stage: str) -> None:
    needed = reachable(SOURCE / "stages" / f"{stage}.py")
    for dep in STAGES[stage]["deps"]:
        if dep.startswith("src/"):
            used = any(ROOT / dep in (module, *module.parents) for module in needed)
            assert used, f"{stage} does not import {dep}"


def test_inputs_come_from_earlier_stages_or_params() -> None:
    made = {"controls.yaml", "hooks.yaml"}  # in git
    made |= {f"models/organism/{name}" for name in ("reader", "blind", "sae")}
    for stage, settings in STAGES.items():
        for dep in settings["deps"]:
            assert dep.startswith(("src/", "${")) or dep in made, f"{stage}: nothing makes {dep}"
        made.update(paths(settings.get("outs", [])) + paths(settings["metrics"]))


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_the_same_shape(stage: str) -> None:
    settings = STAGES[stage]
    assert settings["cmd"] == f"python -m leitmotif.stages.{stage}"
    assert stage in settings["params"]
    assert set(settings["params"]) <= set(Params.model_fields)
    assert settings["metrics"] == [{f"metrics/{stage}.json": {"cache": False}}]
    assert (ROOT / "docs" / "stages" / f"{stage}.md").is_file()
    assert f"stages/{stage}.md" in (ROOT / "docs" / "README.md").read_text(encoding="utf-8")


def test_every_section_of_the_params_is_used() -> None:
    used = {section for settings in STAGES.values() for section in settings["params"]}
    assert used == set(Params.model_fields)


def test_the_params_in_the_repository_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # whether model.name is a folder is seen from the root
    load_params()
