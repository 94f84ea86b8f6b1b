"""What the documentation names exists."""

import doctest
import importlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []


def test_every_page_is_linked_from_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    missing = [
        page.relative_to(ROOT / "docs").as_posix()
        for page in (ROOT / "docs").rglob("*.md")
        if page.name != "README.md" and page.relative_to(ROOT / "docs").as_posix() not in index
    ]
    assert missing == []


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    names = [re.split(r"[<>=~!\[ ]", requirement)[0] for requirement in wanted]
    assert [name for name in names if name not in page] == []


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {normal(line.split("==")[0]) for line in lines if not line.startswith("#")}
    missing = [name for name in wanted if normal(re.split(r"[<>=\[]", name)[0]) not in pinned]
    assert missing == []
    assert not any("+" in line or "@" in line for line in lines if not line.startswith("#"))


def test_the_examples_of_the_page_on_probes_run() -> None:
    page = (ROOT / "docs" / "probes.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(compile(block, "docs/probes.md", "exec"), names)
    assert names["found"].get_support(indices=True).tolist() == [3]
    X, y, Z, track = (names[name][~names["old"]] for name in ("X", "y", "Z", "track"))
    assert names["probe"].score(X, y, controls=Z, groups=track) > 0.3


@pytest.mark.parametrize("module", ["probe.nested", "probe.effects", "causal.verdict"])
def test_examples_in_docstrings_run(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"leitmotif.{module}"))
    assert found.attempted > 0
    assert found.failed == 0


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def metrics(stage: str) -> Any:
    return json.loads((ROOT / "metrics" / f"{stage}.json").read_text(encoding="utf-8"))


def test_the_table_of_the_readme_is_that_of_the_metrics() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, row in metrics("summary")["approaches"].items():
        effect = row["delta_recurrence"]
        interval = f"{effect['mean']:+.1f} ({effect['low']:.1f} to {effect['high']:.1f})"
        line = f"| {name} | {row['r2']:.2f} | {row['clap']['mean']:.3f} | {interval} | "
        assert line + f"{row['screened']['mean']:+.1f} | {row['verdict']} |" in page
    for test in ("fpr_naive", "fpr_controlled"):
        assert f"{metrics('calibration')[test]['mean']:.3f}" in page
