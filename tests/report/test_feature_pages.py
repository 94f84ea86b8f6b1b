"""The feature pages, written from made tracks and opened as files in a real Chromium."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Page, expect

from leitmotif.audio.features import HOP, SAMPLE_RATE
from leitmotif.claims import Horizon
from leitmotif.report.features.chosen import choose
from leitmotif.report.features.listening import Track, tracks_of
from leitmotif.report.features.pages import INDEX, PageSources, write_feature_pages
from leitmotif.report.folder import Folder, Shell
from leitmotif.tables.interval import IntervalRow
from tests.accessibility import violations
from tests.report.made_features import (
    FRAMES,
    TIMING,
    candidate,
    coverage,
    label,
    used,
    write_activity,
    write_track,
)
from tests.tables.made import verdict

STEP = 250
"""At which the feature fires most; in its track the sound begins with the frame of that number."""
HORIZON = Horizon("2-4s", 2.0, 4.0)
TESTED = [
    verdict(
        candidate="one:6",
        hook="one",
        features=[6],
        effect=IntervalRow(mean=12.5, low=-1.0, high=25.0),
        over_controls=None,
        clap_similarity=IntervalRow(mean=0.99, low=0.98, high=1.0),
    )
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> PageSources:
    root = tmp_path_factory.mktemp("data")
    written = []
    for number in range(3):
        tone = 0.3 * np.sin(2 * np.pi * 330 * np.arange(HOP * FRAMES) / SAMPLE_RATE)
        activity = np.zeros((FRAMES, 64))
        activity[100:200, [5, 6]] = 1 + number
        if number == 1:
            tone[: HOP * STEP] = 0
            activity[STEP, 5] = 10
        written.append(write_track(root, number, tone))
        write_activity(root / "sae" / "one", f"track_{number}", activity)
    tracks = tracks_of(
        written,
        root / "features",
        [label("track_1", 6.0)],
        [coverage(row.track_id) for row in written],
        timing=TIMING,
        exploratory=False,
    )
    rows = [candidate(1, 5, "2-4s", "one"), candidate(2, 7, "2-4s", "one")]
    return PageSources(
        shown=choose(rows, TESTED, horizon="2-4s", limit=2),
        corpus=root / "corpus",
        features=root / "features",
        encoded=root / "sae",
        tracks=tracks,
        used=[used("one", seed=0)],
        horizons=[HORIZON],
        claimed=HORIZON,
        misaligned={"one": "MISALIGNED: <made> & tested"},
        seed=0,
        hashes={},
    )


def write(root: Path, sources: PageSources) -> SimpleNamespace:
    root.mkdir()
    folder = Folder(root, Shell("made", "tiny", [], [(INDEX, "Features")]))
    write_feature_pages(folder, sources, {"one:6": "pairs/six.html"})
    return SimpleNamespace(clips=len(folder.clips), root=root)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, sources: PageSources) -> SimpleNamespace:
    return write(tmp_path_factory.mktemp("written") / "report", sources)


def test_equal_sources_give_equal_bytes(
    report: SimpleNamespace, sources: PageSources, tmp_path: Path
) -> None:
    again = write(tmp_path / "again", sources)
    hashes = [
        {
            path.relative_to(root): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }
        for root in (report.root, again.root)
    ]
    assert hashes[0] == hashes[1]
    pages = {path.name for path in (report.root / "features").iterdir()}
    assert pages == {"index.html", "one-5.html", "one-6.html", "one-7.html"}
    assert sum(path.parts[0] == "clips" for path in hashes[0]) == 2 * report.clips


def test_what_is_played_up_to_the_mark_is_what_the_row_has_read(report: SimpleNamespace) -> None:
    text = (report.root / "features" / "one-5.html").read_text()
    first = text.split('id="highest-1"')[1]
    clip = first.split('data-clip="')[1].split('"')[0]
    now = float(first.split("--now:")[1].split(";")[0])
    samples, _ = soundfile.read(report.root / "clips" / f"{clip}.flac")
    mark = round(now * len(samples))
    assert len(samples) == 4 * SAMPLE_RATE
    assert mark == 3 * SAMPLE_RATE
    # The sound begins with the frame of the row's number, which the row has not read.
    assert not samples[:mark].any()
    assert np.abs(samples[mark : mark + HOP]).max() > 0.2


def test_tracks_of_which_not_all_is_known_are_counted_where_they_are_left_out(
    report: SimpleNamespace, sources: PageSources, tmp_path: Path
) -> None:
    page = "features/one-5.html"
    assert "left out of this" not in (report.root / page).read_text()

    def known_in(number: int, spans: list[tuple[float, float]]) -> Track:
        track = sources.tracks[number]
        contexts = [replace(context, known=spans) for context in track.contexts]
        return replace(track, contexts=contexts, complete=False)

    partly = [known_in(0, [(0.0, 1.0)]), known_in(1, []), sources.tracks[2]]
    text = (write(tmp_path / "partly", replace(sources, tracks=partly)).root / page).read_text()
    said = (
        "Of 1 of 3 tracks only those seconds are used here in which all recurrences are known "
        "(data/coverage.jsonl). 1 of 3 tracks is left out of this, because nowhere in them all "
        "recurrences are known (data/coverage.jsonl); verified returns begin in 1 window of them."
    )
    assert text.count(said) == 2, "before a recurrence, and by place"


def test_names_are_escaped_and_features_without_moments_say_so(report: SimpleNamespace) -> None:
    text = (report.root / "features" / "one-5.html").read_text()
    assert "MISALIGNED: &lt;made&gt; &amp; tested" in text
    assert "never active in these tracks" in (report.root / "features" / "one-7.html").read_text()
    other = (report.root / "features" / "one-6.html").read_text()
    assert "The probes did not select" in other
    assert 'href="../pairs/six.html">hear it</a>' in other


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    yield page
    page.close()
    assert not wrong


def address(report: SimpleNamespace, path: str) -> str:
    return (report.root / path).as_uri()


def test_a_moment_plays_from_the_file_system(tab: Page, report: SimpleNamespace) -> None:
    tab.goto(address(report, "features/one-5.html"))
    moment = tab.locator("#highest-2")
    moment.get_by_role("button", name="Play track_2").click()
    expect(moment).to_have_attribute("data-playing", "")
    tab.wait_for_function("report.player.position > 0.3")
    loudest = """() => {
      const heard = new Float32Array(2048);
      report.player.analyser.getFloatTimeDomainData(heard);
      return Math.max(...heard.map(Math.abs));
    }"""
    assert tab.evaluate(loudest) > 0.1
    before = tab.evaluate("report.player.position")
    tab.wait_for_function(f"report.player.position > {before} + 0.1")


def test_keys_walk_from_moment_to_moment(tab: Page, report: SimpleNamespace) -> None:
    tab.goto(address(report, "features/one-5.html"))
    tab.keyboard.press("n")
    expect(tab.locator("#highest-1")).to_have_attribute("data-playing", "")
    tab.keyboard.press("n")
    expect(tab.locator("#highest-2")).to_have_attribute("data-playing", "")
    expect(tab.locator("#highest-1")).not_to_have_attribute("data-playing", "")
    tab.keyboard.press("p")
    expect(tab.locator("#highest-1 [data-play]")).to_be_focused()
    expect(tab.locator("#highest-1")).to_have_attribute("data-playing", "")


def test_the_index_sorts_and_leads_to_the_pages(tab: Page, report: SimpleNamespace) -> None:
    tab.goto(address(report, INDEX))
    names = tab.locator("tbody th")
    assert names.all_inner_texts() == ["one:5", "one:7", "one:6"]
    heading = tab.get_by_role("columnheader", name="active steps")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert names.all_inner_texts() == ["one:7", "one:6", "one:5"]
    heading.get_by_role("button").click()
    assert names.all_inner_texts() == ["one:5", "one:6", "one:7"]
    # What has no value is last, whichever way.
    effect = tab.get_by_role("columnheader", name="partial correlation").get_by_role("button")
    for _ in range(2):
        effect.click()
        assert names.all_inner_texts()[-1] == "one:6"
    tab.get_by_role("link", name="one:6").click()
    expect(tab.get_by_role("heading", level=1)).to_contain_text("Feature 6")
    tab.get_by_role("link", name="All features").click()
    expect(tab).to_have_url(address(report, INDEX))


@pytest.mark.parametrize("path", [INDEX, "features/one-5.html", "features/one-7.html"])
def test_nothing_is_wider_than_a_phone(tab: Page, report: SimpleNamespace, path: str) -> None:
    tab.set_viewport_size({"width": 390, "height": 800})
    tab.goto(address(report, path))
    assert tab.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_are_accessible(tab: Page, report: SimpleNamespace, theme: str) -> None:
    tab.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    for path in ("index", "one-5", "one-7"):
        tab.goto(address(report, f"features/{path}.html"))
        assert violations(tab) == [], path


def test_pictures_have_words_and_ids_are_distinct(tab: Page, report: SimpleNamespace) -> None:
    tab.goto(address(report, "features/one-5.html"))
    assert tab.locator('[role="img"]:not([aria-label])').count() == 0
    assert tab.locator("button:not([aria-label]):empty").count() == 0
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
