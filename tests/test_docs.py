"""What the documentation names exists."""

import doctest
import importlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from leitmotif.claims import CLAIM
from leitmotif.cli.results import as_lines, read_results
from leitmotif.sites import TRANSFORMER_LENS, canonical_site

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


def test_the_claim_fits_on_half_a_page_with_all_of_its_parts() -> None:
    page = (ROOT / "docs" / "claim.md").read_text(encoding="utf-8")
    assert len(page.split()) <= 400, "docs/claim-stressed.md has room for details"
    assert " ".join(CLAIM.split()) in " ".join(page.split())
    for part in ("Estimand", "Identification", "Assumptions", "where one fails"):
        assert part in page
    rows = [line.split("|")[1].strip(" *") for line in page.splitlines() if line.startswith("| **")]
    assert rows == [
        *("look-back", "just-in-time fetching", "inert trace", "local continuity"),
        *("breaking", "texture"),
    ]


def test_the_table_of_names_is_that_of_the_code() -> None:
    page = (ROOT / "docs" / "from-other-tools.md").read_text(encoding="utf-8")
    rows = site_rows(page)
    assert [name for name, _, _, _ in rows] == [
        f"blocks.3.hook_{name}" for name in TRANSFORMER_LENS
    ]
    for name, short, canonical, _ in rows:
        assert canonical_site(name) == canonical_site(short) == canonical


def test_patterns_have_the_names_that_the_page_gives() -> None:
    page = (ROOT / "docs" / "from-other-tools.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:4] for line in page.splitlines() if "hook_pattern" in line]
    assert len(rows) == 2
    for row in rows:
        names = [cell.strip("` ").replace("N", "3") for cell in row if "`" in cell]
        assert {canonical_site(name) for name in names} == {names[-1]}


def site_rows(page: str) -> list[list[str]]:
    """The table of names, for block 3: TransformerLens's name, short form, ours, what it holds."""
    rows = [
        line.strip("| ").split(" | ") for line in page.splitlines() if "`blocks.N.hook_" in line
    ]
    names = [[cell.split(";")[0].strip("`") for cell in row] for row in rows]
    return [[cell.replace("{N-1}", "2").replace("N", "3") for cell in row] for row in names]


@pytest.mark.parametrize(
    "module",
    [
        "causal.verdict",
        "notebook.pieces",
        "probe.estimators.effects",
        "probe.estimators.nested",
        "notebook.proposals",
    ],
)
def test_examples_in_docstrings_run(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    results = doctest.testmod(importlib.import_module(f"leitmotif.{module}"))
    assert results.attempted > 0
    assert results.failed == 0


def test_the_summary_in_the_readme_is_that_of_the_metrics() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = page.split("scripts/readme writes it -->\n```text\n")[1].split("\n```")[0]
    # Whether data/ is there decides a line; the page shows what a finished run ends with.
    lines = as_lines(replace(read_results(ROOT), pages=True))
    assert shown.split("\n") == lines, "run scripts/readme after the pipeline"
