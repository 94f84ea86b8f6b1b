"""pyproject.toml, docs/dependencies.md, constraints.txt and the imports name the same packages."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = {
    "leitmotif",
    "training",
    "benchmarks",
    "tests",
    "made_recordings",
    "official_layout",
    *(path.stem for path in (ROOT / "scripts").glob("*.py")),
}
APART = {"sae-lens"}
"""An extra with an environment of its own; see docs/dependencies.md."""
COMMANDS = {"dvc", "dvc-s3", "ipykernel", "ruamel-yaml-clib"}
"""Run as a command or by another package, and not imported."""
TOOLS = {
    "check-jsonschema", "mypy", "pandas-stubs", "pytest-timeout", "pytest-xdist", "ruff",
    "scipy-stubs", "zizmor",
}  # fmt: skip
ELSEWHERE = {"einops"}
"""Imported by audiocraft, which names older versions of everything."""
BESIDE = {"audiocraft"}
"""Explained, and installed by scripts/environment by itself."""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def required() -> tuple[set[str], set[str]]:
    """Packages that the library and its extras need, and those of development."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lists = [project["dependencies"], *(extras[name] for name in extras.keys() - {"dev"} - APART)]
    library = {package(requirement) for requirements in lists for requirement in requirements}
    return library - {"leitmotif"}, {package(extra) for extra in extras["dev"]} - {"leitmotif"}


def package(requirement: str) -> str:
    return normal(re.split(r"[<>=~!\[ ;]", requirement)[0])


@cache
def imported(*folders: str) -> dict[str, set[str]]:
    """Packages by the top-level module that files below these folders import, wherever it stands.

    A module may belong to several packages (``ruamel``).
    """
    names: set[str] = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names.add(node.module.partition(".")[0])
    packages = packages_distributions()
    return {
        name: set(map(normal, packages.get(name, [name])))
        for name in names - sys.stdlib_module_names - OURS
    }


def explained() -> set[str]:
    """Packages of the first columns of the tables in docs/dependencies.md."""
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| ([^|]+?) \|", page, flags=re.MULTILINE)
    names = {normal(name) for cell in cells for name in cell.split(", ")}
    return {name for name in names if not name.startswith("`")} - {"package", "extra"}


def test_what_the_library_imports_is_required() -> None:
    library, _ = required()
    assert {name: of for name, of in imported("src").items() if not of & library} == {}


def test_what_is_required_is_imported() -> None:
    library, _ = required()
    assert library - set().union(*imported("src").values()) <= COMMANDS


def test_what_tests_and_tools_import_is_required() -> None:
    library, development = required()
    known = library | development | APART | BESIDE
    others = imported("tests", "benchmarks", "scripts", "models/organism/training")
    assert {name: of for name, of in others.items() if not of & known} == {}


def test_what_development_requires_is_imported() -> None:
    _, development = required()
    others = imported("tests", "benchmarks", "scripts", "models/organism/training")
    assert development - set().union(*others.values()) - TOOLS == ELSEWHERE


def test_the_page_explains_each_and_no_other() -> None:
    library, development = required()
    assert explained() == library | development | BESIDE


def test_each_is_pinned() -> None:
    library, development = required()
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {normal(line.split("==")[0]) for line in lines if not line.startswith("#")}
    assert (library | development) - pinned == set()
    assert not any("+" in line or "@" in line for line in lines if not line.startswith("#"))
