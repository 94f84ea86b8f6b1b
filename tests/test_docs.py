"""What the documentation names exists."""

import doctest
import importlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leitmotif.results import as_lines, read_results

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


def test_the_summary_in_the_readme_is_that_of_the_metrics() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = page.split("scripts/readme writes it -->\n```text\n")[1].split("\n```")[0]
    # Whether data/ is there decides a line; the page shows what a finished run ends with.
    lines = as_lines(replace(read_results(ROOT), pages=True))
    assert shown.split("\n") == lines, "run scripts/readme after the pipeline"
