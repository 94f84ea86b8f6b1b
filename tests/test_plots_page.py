"""`dvc plots show` and `dvc plots diff` draw every plot in a browser that has no network."""

import csv
import hashlib
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, Route
from ruamel.yaml import YAML

from tests.accessibility import violations

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / ".dvc" / "plots" / "page.html"
BUILDER: dict[str, Any] = runpy.run_path(str(ROOT / "scripts/plots_page/__main__.py"))
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
PLOTS = sorted(
    path for stage in STAGES.values() for plot in stage.get("plots", []) for path in plot
)
CHANGED = {"plots/summary.csv", "plots/sae.csv"}
LIBRARY = re.compile(r"<!--\n(vega[^\n]*)\n\n([^<]*)\n-->\n<script>(.*?)</script>", re.DOTALL)
"""Heading, licence and text of a library in the page."""


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What DVC reads of this repository for its plots: `main`, and a working tree that differs."""
    root = tmp_path_factory.mktemp("repository")
    for name in (".dvc/config", ".dvc/plots", "dvc.yaml", "params.yaml", "plots"):
        (root / name).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, root / name)
    git = ("git", "-c", "user.name=A", "-c", "user.email=a@example.org")
    run(root, *git, "init", "--quiet", "--initial-branch", "main")
    run(root, *git, "add", ".")
    run(root, *git, "commit", "--quiet", "--message", "As in this repository")
    for name in CHANGED:
        with (root / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        with (root / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows[:-1])
    return root


@pytest.fixture(scope="module", params=[("show",), ("diff", "main")], ids=["show", "diff"])
def written(request: pytest.FixtureRequest, repository: Path) -> Path:
    return page_of(repository, *request.param)


def page_of(root: Path, *command: str) -> Path:
    """Let DVC write a page, in a folder other than its usual one."""
    run(root, sys.executable, "-m", "dvc", "plots", *command, "-o", command[0])
    return root / command[0] / "index.html"


@dataclass(frozen=True)
class Tab:
    """A tab without a network, and every address that its page asked for."""

    page: Page
    asked: list[str]


@contextmanager
def offline(browser: Browser, **settings: Any) -> Iterator[Tab]:
    context = browser.new_context(offline=True, **settings)
    asked: list[str] = []

    def note(route: Route) -> None:
        asked.append(route.request.url)
        if route.request.url.startswith("file:"):
            route.continue_()
        else:
            route.abort()

    context.route("**/*", note)
    yield Tab(context.new_page(), asked)
    context.close()


def opened(tab: Tab, file: Path) -> Page:
    tab.page.goto(file.as_uri())
    tab.page.wait_for_selector("html[data-drawn]")
    return tab.page


def plot(page: Page, path: str) -> Locator:
    return page.locator("#" + re.sub(r"[/.]", "_", path))


@pytest.mark.parametrize("width", [1280, 390])
def test_every_plot_is_drawn_and_nothing_is_asked_of_a_network(
    browser: Browser, repository: Path, written: Path, width: int
) -> None:
    with offline(browser, viewport={"width": width, "height": 900}) as tab:
        page = opened(tab, written)
        assert tab.asked == [written.as_uri()]
        assert page.locator("main > div").count() == len(PLOTS)
        for path in PLOTS:
            marks = plot(page, path).locator(
                "svg .mark-symbol path, svg .mark-rect path, svg .mark-line path"
            )
            rows = (repository / path).read_text(encoding="utf-8").splitlines()[1:]
            # A line joins many values, so there may be fewer marks than values.
            assert marks.count() >= min(len(rows), 5), path
            assert plot(page, path).locator("h2").inner_text(), path
        assert page.locator(".failed:visible, #waiting").count() == 0
        sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(sideways) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(
    browser: Browser, written: Path, scheme: Literal["light", "dark"]
) -> None:
    with offline(browser, color_scheme=scheme) as tab:
        page = opened(tab, written)
        # Each picture has a name; what it is drawn of would keep axe-core busy for a minute.
        assert page.locator("svg.marks:not([aria-label])").count() == 0
        page.evaluate("document.querySelectorAll('svg.marks > *').forEach((part) => part.remove())")
        assert violations(page) == []


def test_a_diff_says_which_plots_differ_and_shows_them_first(
    browser: Browser, repository: Path
) -> None:
    file = page_of(repository, "diff", "main")
    with offline(browser) as tab:
        page = opened(tab, file)
        assert "main, workspace" in page.locator("header").first.inner_text()
        order = page.locator("main > div").evaluate_all("plots => plots.map(plot => plot.id)")
        first = {re.sub(r"[/.]", "_", path) for path in CHANGED}
        assert set(order[: len(CHANGED)]) == first
        same = page.get_by_text("The same in every revision.").locator("visible=true")
        assert same.count() == len(PLOTS) - len(CHANGED)
        links = page.locator("nav").inner_text().split("The same in every revision:")
        assert [part.count("\n") for part in links] == [len(CHANGED) + 1, len(PLOTS) - len(CHANGED)]
        legend = plot(page, "plots/summary.csv").locator("svg .role-legend-label")
        assert legend.all_text_contents() == ["main", "workspace"]


def test_a_plot_that_a_revision_lacks_is_drawn_and_says_so(
    browser: Browser, repository: Path, tmp_path: Path
) -> None:
    root = tmp_path / "without"
    shutil.copytree(repository, root)
    (root / "plots/swaps.csv").unlink()
    with offline(browser) as tab:
        page = opened(tab, page_of(root, "diff", "main"))
        swaps = plot(page, "plots/swaps.csv")
        assert "Not in workspace." in swaps.inner_text()
        assert swaps.locator("svg .mark-symbol path").count() > 5


def test_a_plot_is_drawn_anew_for_another_width(browser: Browser, repository: Path) -> None:
    with offline(browser, viewport={"width": 1280, "height": 900}) as tab:
        page = opened(tab, page_of(repository, "show"))
        picture = plot(page, "plots/interchange.csv").locator("svg.marks")
        wide = picture.evaluate("svg => svg.clientWidth")
        page.set_viewport_size({"width": 390, "height": 900})
        page.wait_for_function(
            "document.querySelector('#plots_interchange_csv svg.marks')?.clientWidth < 390"
        )
        assert wide > 390


def test_without_scripts_the_page_says_why_it_is_empty(browser: Browser, written: Path) -> None:
    with offline(browser, java_script_enabled=False) as tab:
        tab.page.goto(written.as_uri())
        assert "scripts are switched off" in tab.page.locator("body").inner_text()


def test_a_script_that_fails_is_named_in_the_place_of_the_plot(
    browser: Browser, written: Path, tmp_path: Path
) -> None:
    text = written.read_text(encoding="utf-8")
    damaged = tmp_path / "damaged.html"
    damaged.write_text(text.replace(LIBRARY.findall(text)[-1][-1], ""), encoding="utf-8")
    with offline(browser) as tab:
        page = opened(tab, damaged)
        messages = page.locator("main .failed").all_inner_texts()
        assert messages == ["This plot could not be drawn: Vega-Embed did not load"] * len(PLOTS)
    unread = tmp_path / "unread.html"
    unread.write_text(text.replace('"use strict";', "("), encoding="utf-8")
    with offline(browser) as tab:
        tab.page.goto(unread.as_uri())
        assert "the scripts of this page did not run" in tab.page.locator("#waiting").inner_text()


def test_the_libraries_are_those_of_dvcs_own_page(repository: Path, tmp_path: Path) -> None:
    root = tmp_path / "without"
    shutil.copytree(repository, root)
    (root / ".dvc/config").write_text("", encoding="utf-8")
    own = page_of(root, "show").read_text(encoding="utf-8")
    named = [f"{library.package}@{library.version}" for library in BUILDER["LIBRARIES"]]
    assert named == re.findall(r"https://[^\"]*npm/([^\"]+)", own)
    found = LIBRARY.findall(TEMPLATE.read_text(encoding="utf-8"))
    hashes = [hashlib.sha256(script.encode()).hexdigest() for _, _, script in found]
    assert [(heading, sha256) for (heading, _, _), sha256 in zip(found, hashes, strict=True)] == [
        (library.heading, library.sha256) for library in BUILDER["LIBRARIES"]
    ]
    assert all("Redistribution and use in source and binary forms" in text for _, text, _ in found)


def test_the_page_is_made_from_its_parts() -> None:
    made = BUILDER["page"](BUILDER["kept"]())
    assert made == TEMPLATE.read_text(encoding="utf-8"), "run `python scripts/plots_page --keep`"
