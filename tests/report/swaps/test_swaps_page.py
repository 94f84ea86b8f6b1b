"""The page of swaps, opened as a file in a real Chromium with sound."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from leitmotif.errors import LeitmotifError
from leitmotif.files import read_table, write_table
from leitmotif.pipeline import SWAP_CLIPS, SWAP_SUMMARY
from leitmotif.report.folder import Folder, Shell
from leitmotif.report.swaps.pages import PAGE, write_swaps_page
from leitmotif.report.swaps.sources import CLIPS, read_swaps
from leitmotif.tables.decoderlens import AgreementRow
from leitmotif.tables.swaps import SwapClipRow, SwapSummaryRow
from tests.accessibility import violations
from tests.report.listened import PITCH
from tests.report.made import MARKUP
from tests.report.swaps.made_swaps import hertz, write_swaps
from tests.tables.made import interval
from tests.waiting import wait_until

LAYERS = 3
HALF, GAP = 0.5, 0.25
"""Seconds of a clip, and between two."""


def write(out: Path, root: Path) -> Path:
    """A report with this page alone."""
    sources = read_swaps("models/tiny", root)
    assert sources is not None
    out.mkdir()
    write_swaps_page(Folder(out, Shell("made", "tiny", [], [(PAGE, "Swaps")])), sources)
    return out


def text_of(root: Path) -> str:
    return (root / PAGE).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swaps")
    return write(folder / "report", write_swaps(folder, LAYERS))


def test_the_same_inputs_give_the_same_bytes(report: Path, tmp_path: Path) -> None:
    again = write(tmp_path / "report", write_swaps(tmp_path, LAYERS))
    files = [sorted(root.rglob("*.*")) for root in (report, again)]
    assert [path.relative_to(report) for path in files[0]] == [
        path.relative_to(again) for path in files[1]
    ]
    for one, other in zip(*files, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_names_with_markup_stay_text(report: Path) -> None:
    assert MARKUP not in text_of(report)
    assert text_of(report).count("<img") == 1  # the icon


def test_what_the_tables_have_besides_is_named(report: Path, tmp_path: Path) -> None:
    root = write_swaps(tmp_path, LAYERS)
    rows = read_table(root / SWAP_SUMMARY, SwapSummaryRow)
    span = [row.model_copy(update={"frames": (20, 40)}) for row in rows]
    group = [row.model_copy(update={"layers": [0, 1]}) for row in rows[:1]]
    write_table(root / SWAP_SUMMARY, [*rows, *group, *span])
    text = re.sub("<[^>]*>", "", text_of(write(tmp_path / "report", root)))
    assert "0 to 39; the tables also have 20 to 39" in text
    assert "also at once, in the tables0+1" in text
    assert "the tables" not in text_of(report)


def test_a_clip_that_is_lost_stops_the_build_with_its_name(tmp_path: Path) -> None:
    root = write_swaps(tmp_path, LAYERS)
    (root / SWAP_CLIPS / "0.replace.mlp.1.wav").unlink()
    with pytest.raises(LeitmotifError, match=r"0\.replace\.mlp\.1\.wav") as stopped:
        write(tmp_path / "report", root)
    assert "dvc checkout" in str(stopped.value)
    assert "dvc repro swaps" in str(stopped.value)


def test_a_clip_of_another_run_stops_the_build_with_its_name(tmp_path: Path) -> None:
    root = write_swaps(tmp_path, LAYERS)
    (root / SWAP_CLIPS / "0.replace.mlp.1.wav").write_bytes(
        (root / SWAP_CLIPS / "0.wav").read_bytes()
    )
    with pytest.raises(LeitmotifError, match=r"0\.replace\.mlp\.1\.wav is not the clip of its"):
        write(tmp_path / "report", root)


def test_without_clips_the_page_says_so_and_has_its_maps(tmp_path: Path) -> None:
    page = write(tmp_path / "report", write_swaps(tmp_path, LAYERS, kept=False))
    assert "There is nothing to listen to" in text_of(page)
    assert "data-cell" not in text_of(page)
    assert "replace, MLP, layer 1: effect +3.00 (2.95 to 3.05; 2 pairs, p 0.001) nats" in text_of(
        page
    )
    assert not (page / "clips").exists()


def test_what_is_beyond_its_controls_is_marked(report: Path, tmp_path: Path) -> None:
    labels = re.findall(r'aria-label="Play ([^"]*)"', text_of(report))
    assert len(labels) == 2 * 3 * LAYERS
    assert {label.split(",")[1] for label in labels if "beyond its controls" in label} == {" MLP"}
    without = write(tmp_path / "report", write_swaps(tmp_path, controls=False))
    assert "beyond its controls" not in "".join(
        re.findall(r'aria-label="Play ([^"]*)"', text_of(without))
    )


def test_the_largest_effect_is_said_with_whether_it_is_beyond_its_controls(
    report: Path, tmp_path: Path
) -> None:
    def facts(root: Path) -> str:
        return " ".join(re.sub("<[^>]*>", " ", text_of(root).split("</dl>")[0]).split())

    assert "MLP of layer 1, +3.00 (2.95 to 3.05; 2 pairs, p 0.001) nats, beyond its controls" in (
        facts(report)
    )
    root = write_swaps(tmp_path / "none", LAYERS)
    rows = read_table(root / SWAP_SUMMARY, SwapSummaryRow)
    write_table(root / SWAP_SUMMARY, [row.model_copy(update={"q": 0.2}) for row in rows])
    said = facts(write(tmp_path / "report", root))
    strongest = "the strongest, random, has +0.50 nats; q 0.20 )"
    assert said.count(f"nats, not beyond its controls ({strongest}") == 2
    without = write(tmp_path / "without", write_swaps(tmp_path / "bare", controls=False))
    assert facts(without).count("nats, without controls") == 2


def test_how_far_two_taggers_agree_is_said_of_the_largest_effects(
    report: Path, tmp_path: Path
) -> None:
    assert "two taggers name the same" not in text_of(report)
    root = write_swaps(tmp_path / "two", LAYERS)
    rows = read_table(root / SWAP_SUMMARY, SwapSummaryRow)
    both = AgreementRow(labels=2, rank=interval(0.8), named=interval(0.75), named_by_chance=0.31)
    write_table(root / SWAP_SUMMARY, [row.model_copy(update={"agreement": both}) for row in rows])
    said = text_of(write(tmp_path / "report", root))
    for technique in ("replace", "adjust"):
        assert f"two taggers name the same in its clips, {technique}" in said
    words = " ".join(re.sub("<[^>]*>", " ", said).split())
    assert words.count("0.75 (0.70 to 0.80; 2 clips, p 0.001) , by chance 0.31") == 2


def test_several_prompts_of_a_pair_are_numbered(tmp_path: Path) -> None:
    root = write_swaps(tmp_path, LAYERS)
    table = root / CLIPS
    rows = read_table(table, SwapClipRow)
    others = [row.model_copy(update={"prompt": "another"}) for row in rows]
    write_table(table, [*rows, *(row for row in others if row.original == "guitar")])
    text = text_of(write(tmp_path / "report", root))
    names = re.findall(r"<option [^>]*>([^<]*)</option>", text)
    assert names[:2] == ["guitar → piano (1)", "guitar → piano (2)"]
    assert len(names) == 4


def test_a_model_of_48_layers_has_a_cell_for_each_without_numbers(tmp_path: Path) -> None:
    text = text_of(write(tmp_path / "report", write_swaps(tmp_path, 48)))
    assert text.count("data-cell ") == 2 * 3 * 48
    assert "<span>+3.0 ✓</span>" not in text
    assert "MLP, layer 47" in text


@pytest.fixture
def tab(browser: Browser, report: Path) -> Iterator[Page]:
    page = browser.new_context().new_page()
    page.set_default_timeout(120_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((report / PAGE).as_uri())
    yield page
    assert errors == []
    page.context.close()


def cell(tab: Page, technique: str, component: str, layer: int) -> Locator:
    return tab.get_by_role("button", name=f"Play {technique}, {component}, layer {layer}:")


def part(tab: Page, name: str) -> Locator:
    return tab.get_by_role("group", name="Clips of the chosen cell").get_by_role(
        "button", name=name
    )


def hears(tab: Page, pitch: float) -> bool:
    playing = tab.evaluate("report.player.playing && report.player.analyser !== null")
    return bool(playing) and abs(tab.evaluate(PITCH) - pitch) < 30


def hold(tab: Page, begin: float) -> None:
    """Repeat a part of what plays, so that it goes on, however slow the machine."""
    tab.evaluate(
        """async (begin) => {
          const { player } = report;
          player.setLoop([begin + 0.1, begin + 0.4]);
          player.seek(begin + 0.1);
          await player.play();
        }""",
        begin,
    )


def test_a_click_plays_the_original_the_swapped_and_the_desired_clip(tab: Page) -> None:
    place = ("adjust", "mlp", 1)
    cell(tab, "adjust", "MLP", 1).click()
    wait_until(lambda: tab.evaluate("report.player.duration") > 2.5 * HALF)
    seconds = tab.evaluate("report.player.duration")
    assert seconds == pytest.approx(3 * HALF + 2 * GAP, abs=1e-3)
    pitches = (hertz("guitar"), hertz("guitar", place), hertz("piano"))
    for number, (name, pitch) in enumerate(
        zip(("Original", "Swapped", "Desired"), pitches, strict=True)
    ):
        hold(tab, number * (HALF + GAP))
        wait_until(lambda pitch=pitch: hears(tab, pitch))
        wait_until(lambda name=name: part(tab, name).get_attribute("data-heard") is not None)
    expect(cell(tab, "adjust", "MLP", 1)).to_have_attribute("aria-pressed", "true")
    cell(tab, "adjust", "MLP", 1).click()
    wait_until(lambda: not tab.evaluate("report.player.playing"))
    expect(cell(tab, "adjust", "MLP", 1)).to_have_attribute("aria-pressed", "false")


def test_a_button_plays_one_clip_of_the_chosen_pair_and_cell(tab: Page) -> None:
    tab.get_by_label("Original → desired").select_option(label="piano → " + MARKUP)
    cell(tab, "replace", "self-attention", 2).click()
    expect(part(tab, "Swapped")).to_contain_text("self-attention, layer 2")
    place = ("replace", "self_attention", 2)
    for name, pitch in (
        ("Desired", hertz(MARKUP)),
        ("Swapped", hertz("piano", place)),
        ("Original", hertz("piano")),
    ):
        part(tab, name).click()
        wait_until(lambda: tab.evaluate("report.player.duration") == HALF)
        hold(tab, 0.0)
        wait_until(lambda pitch=pitch: hears(tab, pitch))
    expect(tab.locator("[data-said]")).to_contain_text("Self-attention of layer 2, replace")
    links = tab.locator("[data-sources] a")
    expect(links).to_have_text(["over all pairs", "this clip", "this pair"])
    expect(links.first).to_have_attribute("title", re.compile(r"swap_summary\.jsonl: .*\[2\]"))
    expect(links.last).to_have_attribute("title", re.compile(r"data/swaps\.jsonl: .*piano"))


def test_the_page_begins_with_the_strongest_branch_and_keys_go_on_from_it(tab: Page) -> None:
    expect(tab.locator("[data-said]")).to_contain_text("MLP of layer 1, replace")
    expect(cell(tab, "replace", "MLP", 1)).to_have_attribute("aria-current", "true")
    tab.keyboard.press("n")
    expect(cell(tab, "replace", "MLP", 2)).to_be_focused()
    expect(tab.locator("[data-said]")).to_contain_text("MLP of layer 2, replace")
    for _ in range(2):
        tab.keyboard.press("p")
    expect(cell(tab, "replace", "MLP", 0)).to_be_focused()
    expect(tab.locator("[aria-current=true][data-cell]")).to_have_count(1)


def test_a_pair_without_a_clip_of_the_desired_concept_has_no_button_for_it(
    browser: Browser, tmp_path: Path
) -> None:
    root = write_swaps(tmp_path, LAYERS)
    table = root / CLIPS
    rows = read_table(table, SwapClipRow)
    few = [row for row in rows if row.original == "guitar" and row.layer in (None, 0)]
    write_table(table, few)
    page = browser.new_page()
    page.goto((write(tmp_path / "report", root) / PAGE).as_uri())
    expect(part(page, "Desired")).to_be_disabled()
    expect(part(page, "Swapped")).to_be_enabled()
    expect(page.locator("[data-cell]")).to_have_count(2 * 3)
    page.close()


def test_a_clip_that_is_not_beside_the_page_is_named(browser: Browser, tmp_path: Path) -> None:
    root = write(tmp_path / "report", write_swaps(tmp_path, LAYERS))
    for path in (root / "clips").iterdir():
        path.unlink()
    page = browser.new_page()
    page.goto((root / PAGE).as_uri())
    cell(page, "replace", "MLP", 0).click()
    expect(page.locator("[data-said]")).to_contain_text("is missing: copy the whole folder")
    page.close()


def test_on_a_phone_only_the_maps_scroll(browser: Browser, tmp_path: Path) -> None:
    root = write(tmp_path / "report", write_swaps(tmp_path, 24))
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto((root / PAGE).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    card = page.locator(".swap-map .scroll").first
    assert card.evaluate("card => card.scrollWidth > card.clientWidth")
    heading = page.get_by_role("rowheader", name="MLP").first
    before = heading.bounding_box()
    card.evaluate("card => card.scrollTo(200, 0)")
    assert heading.bounding_box() == before
    page.close()


def test_the_bar_stays_in_sight_and_hides_no_cell_that_has_the_focus(
    browser: Browser, report: Path
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto((report / PAGE).as_uri())
    first = cell(page, "adjust", "self-attention", 0)
    first.click()
    first.evaluate("cell => scrollBy(0, cell.getBoundingClientRect().top - 300)")
    page.keyboard.press("p")  # to the map above
    last = cell(page, "replace", "residual stream", LAYERS - 1)
    expect(last).to_be_focused()
    bar, focused = page.locator(".swap-bar").bounding_box(), last.bounding_box()
    assert bar is not None
    assert focused is not None
    assert 0 <= bar["y"] < bar["y"] + bar["height"] <= focused["y"]
    page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_is_accessible(tab: Page, theme: str) -> None:
    tab.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    assert violations(tab) == []


def test_ids_are_distinct(tab: Page) -> None:
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
