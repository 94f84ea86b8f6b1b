"""Each part of the package needs what its extra declares, and no more.

A child process imports a part while every package is hidden that an environment with the part's
extra would not have: all that is installed here but what pyproject.toml asks for, directly or not.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from leitmotif.cli.extras import extra_of, missing_extra
from leitmotif.errors import LeitmotifError

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
NEEDS = {
    "cluster": "cluster",
    "report": "report",
    "review": "review",
    "stages": "pipeline",
    "views": "pipeline",
}
"""Folders of the package that need an extra; all else needs none."""

CHILD = """
import json, sys
from importlib import import_module
hidden, modules = json.load(sys.stdin)
for name in hidden:
    sys.modules[name] = None  # an import of it then fails, and find_spec does not find it
for name in modules:
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        print(name, "needs", error.name.partition(".")[0])
"""


def declared(extra: str | None) -> list[str]:
    """Requirements of the package with one extra, or with none; extras that it names included."""
    requirements: list[str] = [*PROJECT["dependencies"]]
    for text in EXTRAS[extra] if extra else []:
        requirement = Requirement(text)
        own = canonicalize_name(requirement.name) == PROJECT["name"]
        requirements += (
            [r for name in requirement.extras for r in declared(name)] if own else [text]
        )
    return requirements


def installed_by(requirements: Iterable[str]) -> set[str]:
    """Names of the distributions that these requirements bring, directly or not."""
    names: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    seen = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, extras := frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, extras))
        try:
            below = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:
            continue  # of another platform
        names.add(name)
        waiting += [
            item
            for item in below
            if item.marker is None
            or any(item.marker.evaluate({"extra": extra}) for extra in extras or [""])
        ]
    return names


def modules_of(part: str | None) -> list[str]:
    """Dotted names of the modules of a folder, or of all that need no extra."""
    package = ROOT / "src" / "leitmotif"
    paths = [path.relative_to(package.parent).with_suffix("") for path in package.rglob("*.py")]
    chosen = [path for path in paths if (path.parts[1] if path.parts[1] in NEEDS else None) == part]
    return sorted(".".join(path.parts).removesuffix(".__init__") for path in chosen)


def missing(modules: list[str], requirements: Iterable[str]) -> list[str]:
    """What the modules lack where only these requirements are installed."""
    allowed = installed_by(requirements) | {PROJECT["name"]}
    hidden = [
        module
        for module, owners in packages_distributions().items()
        if module not in sys.stdlib_module_names
        and not allowed & {canonicalize_name(owner) for owner in owners}
    ]
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps([hidden, modules]),
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("part", [None, *NEEDS])
def test_each_part_is_imported_with_its_extra_alone(part: str | None) -> None:
    modules = modules_of(part)
    assert modules
    assert missing(modules, declared(NEEDS[part] if part else None)) == []


def test_the_command_report_needs_its_own_extra_alone() -> None:
    assert missing(["leitmotif.cli", "leitmotif.stages.report"], declared("report")) == []


@pytest.mark.parametrize(
    ("module", "needs"),
    [("report.svg", "matplotlib"), ("review.server", "starlette"), ("stages.probes", "pandas")],
)
def test_without_its_extra_a_part_is_not_imported(module: str, needs: str) -> None:
    name = f"leitmotif.{module}"
    assert missing([name], declared(None)) == [f"{name} needs {needs}"]


def test_the_library_alone_brings_no_pipeline_and_no_server() -> None:
    bare = installed_by(declared(None))
    assert not {"dvc", "dvc-s3", "pandas", "starlette", "uvicorn", "matplotlib"} & bare
    assert {"torch", "transformers", "librosa", "scikit-learn"} <= bare


def test_the_tools_of_this_repository_are_all_in_dev() -> None:
    everything = {name for extra in EXTRAS if extra != "sae-lens" for name in declared(extra)}
    assert everything == set(declared("dev"))


def as_metadata() -> list[str]:
    """The requirements as hatchling writes them: an extra that another includes is spelt out."""
    own = {name: sorted({*declared(name)} - {*declared(None)}) for name in sorted(EXTRAS)}
    extra = [f'{text}; extra == "{name}"' for name, texts in own.items() for text in texts]
    return [*PROJECT["dependencies"], *extra]


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("uvicorn.config", "review"),
        ("starlette", "review"),
        ("matplotlib.figure", "report"),
        ("pandas", "pipeline"),
        ("dvc_s3", "pipeline"),
        ("torch", None),
        ("absent", None),
    ],
)
def test_a_module_is_traced_to_its_extra(module: str, extra: str | None) -> None:
    assert extra_of(module, as_metadata()) == extra


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder in which leitmotif is installed as pyproject.toml says, as far as metadata go."""
    folder = tmp_path / f"{PROJECT['name']}-{PROJECT['version']}.dist-info"
    folder.mkdir()
    lines = ["Metadata-Version: 2.4", f"Name: {PROJECT['name']}", f"Version: {PROJECT['version']}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in as_metadata()]
    (folder / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_a_command_says_which_extra_to_install(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = [str(installed), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, path)))
    code = "import sys; sys.modules['uvicorn'] = None; from leitmotif.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "review", "--reviewer", "somebody"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no module named uvicorn" in done.stderr
    assert re.search(r"pip install 'leitmotif\[review\]'", done.stderr)
    assert "Traceback" not in done.stderr


def test_a_module_that_no_extra_brings_stays_a_python_error(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(installed)
    assert missing_extra(ModuleNotFoundError("no", name="leitmotif.absent")) is None
    assert missing_extra(ModuleNotFoundError("no")) is None
    explained = missing_extra(ModuleNotFoundError("no", name="uvicorn"))
    assert isinstance(explained, LeitmotifError)
