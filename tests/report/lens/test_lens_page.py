"""The page of layers, opened as a file in a real Chromium with sound."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from leitmotif.errors import LeitmotifError
from leitmotif.files import read_table, write_table
from leitmotif.pipeline import DECODERLENS, LENS
from leitmotif.report.folder import Folder, Shell
from leitmotif.report.lens.pages import PAGE, write_lens_page
from leitmotif.report.lens.sources import CLIPS, read_lens
from leitmotif.tables.decoderlens import AgreementRow, DecoderLensRow, Heard, Lens, LensClipRow
from tests.accessibility import violations
from tests.report.lens.made_lens import PROMPT, hertz, write_lens
from tests.report.listened import PITCH
from tests.report.made import MARKUP
from tests.tables.made import interval
from tests.waiting import wait_until

LAYERS = 3
LOOP = """() => report.player.addEventListener("change", () => {
  if (report.player.playing && !report.player.loop) report.player.setLoop([0.1, 0.4]);
})"""
"""What plays goes on, however slow the machine."""


def write(out: Path, root: Path) -> Path:
    """A report with this page alone."""
    sources = read_lens("models/tiny", root)
    assert sources is not None
    out.mkdir()
    write_lens_page(Folder(out, Shell("made", "tiny", [], [(PAGE, "Layers")])), sources)
    return out


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lens")
    return write(folder / "report", write_lens(folder, LAYERS))


def test_the_same_inputs_give_the_same_bytes(report: Path, tmp_path: Path) -> None:
    again = write(tmp_path / "report", write_lens(tmp_path, LAYERS))
    assert [
        (path.relative_to(report), path.read_bytes())
        for path in sorted(report.rglob("*"))
        if path.is_file()
    ] == [
        (path.relative_to(again), path.read_bytes())
        for path in sorted(again.rglob("*"))
        if path.is_file()
    ]


def test_names_with_markup_stay_text(report: Path) -> None:
    text = (report / PAGE).read_text(encoding="utf-8")
    assert MARKUP not in text
    assert text.count("<img") == 1  # the icon


def test_how_far_two_taggers_agree_is_said_where_there_are_two(
    report: Path, tmp_path: Path
) -> None:
    root = write_lens(tmp_path, LAYERS)
    agreed = AgreementRow(labels=4, rank=interval(0.5), named=interval(0.75), named_by_chance=0.25)
    rows = read_table(root / DECODERLENS, DecoderLensRow)
    last = [row.model_copy(update={"agreement": agreed}) for row in rows if row.layer == LAYERS - 1]
    write_table(root / DECODERLENS, [*(row for row in rows if row.layer < LAYERS - 1), *last])
    text = re.sub("<[^>]*>", "", (write(tmp_path / "report", root) / PAGE).read_text("utf-8"))
    (line,) = [line for line in text.splitlines() if line.startswith("two taggers name the same")]
    assert re.search(
        r"instrument 0\.75 \(0\.70 to 0\.80; \d+ clips[^)]*\), by chance 0\.25; ", line
    )
    assert "two taggers" not in (report / PAGE).read_text(encoding="utf-8")


def test_each_clip_is_stored_once(report: Path) -> None:
    # Two exits in four ways, and the model itself.
    assert len(list((report / "clips").glob("*.flac"))) == 4 * (2 * 4 + 1)


def test_a_clip_that_is_lost_stops_the_build_with_its_name(tmp_path: Path) -> None:
    root = write_lens(tmp_path, LAYERS)
    (root / LENS / "0-1-tuned-read.wav").unlink()
    with pytest.raises(LeitmotifError, match=r"0-1-tuned-read\.wav") as stopped:
        write(tmp_path / "report", root)
    assert "dvc checkout" in str(stopped.value)
    assert "dvc repro decoderlens" in str(stopped.value)


def test_a_clip_of_another_run_stops_the_build_with_its_name(tmp_path: Path) -> None:
    root = write_lens(tmp_path, LAYERS)
    other = (root / LENS / "1-0-plain-read.wav").read_bytes()
    (root / LENS / "0-1-tuned-read.wav").write_bytes(other)
    with pytest.raises(LeitmotifError, match=r"0-1-tuned-read\.wav is not the clip of its table"):
        write(tmp_path / "report", root)


def test_without_clips_the_page_says_so(tmp_path: Path) -> None:
    page = write(tmp_path / "report", write_lens(tmp_path, LAYERS, kept=False))
    text = (page / PAGE).read_text(encoding="utf-8")
    assert "There is nothing to listen to" in text
    assert "<svg" in text
    assert not (page / "clips").exists()


def test_a_switch_offers_only_what_was_kept(tmp_path: Path) -> None:
    root = write_lens(tmp_path, LAYERS)
    table = root / CLIPS
    rows = read_table(table, LensClipRow)
    write_table(table, [row for row in rows if row.lens == "plain" and row.heard == "read"])
    text = (write(tmp_path / "report", root) / PAGE).read_text(encoding="utf-8")
    assert re.findall(r'name="(\w+)" value="(\w+)"', text) == [("heard", "read"), ("lens", "plain")]


def test_several_prompts_of_a_concept_are_numbered(tmp_path: Path) -> None:
    root = write_lens(tmp_path, LAYERS)
    table = root / CLIPS
    rows = read_table(table, LensClipRow)
    others = [row.model_copy(update={"prompt": "another"}) for row in rows]
    write_table(table, [*rows, *(row for row in others if row.concept == "guitar")])
    text = (write(tmp_path / "report", root) / PAGE).read_text(encoding="utf-8")
    names = re.findall(r'<th scope="row">([^<]*)</th>', text)
    assert names[:3] == ["guitar 1", "guitar 2", "piano"]


def test_a_model_of_48_layers_has_a_column_for_each(tmp_path: Path) -> None:
    page = write(tmp_path / "report", write_lens(tmp_path, 48)) / PAGE
    text = page.read_text(encoding="utf-8")
    assert re.findall(r'<th scope="col">layer (\d+)</th>', text) == [str(n) for n in range(48)]
    assert text.count("<td>") == 4 * 48


@pytest.fixture
def tab(browser: Browser, report: Path) -> Iterator[Page]:
    page = browser.new_context().new_page()
    page.set_default_timeout(120_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((report / PAGE).as_uri())
    page.evaluate(LOOP)
    yield page
    assert errors == []
    page.context.close()


def button(tab: Page, concept: str, layer: int) -> Locator:
    return tab.get_by_role("button", name=f"Play {concept}, layer {layer}:")


def choose(tab: Page, label: str) -> None:
    tab.locator(".switch").get_by_text(label, exact=True).click()


def hears(tab: Page, pitch: float) -> bool:
    playing = tab.evaluate("report.player.playing && report.player.analyser !== null")
    return bool(playing) and abs(tab.evaluate(PITCH) - pitch) < 30


@pytest.mark.parametrize(
    ("heard", "first"), [("sampled", "Alone"), ("read", "While the model plays")]
)
def test_a_click_plays_the_layer_as_the_switches_say(tab: Page, heard: Heard, first: str) -> None:
    choose(tab, first)
    lenses: tuple[tuple[Lens, str], ...] = (("plain", "Plain lens"), ("tuned", "Tuned lens"))
    for lens, label in lenses:
        choose(tab, label)
        expect(button(tab, "piano", 1)).to_have_attribute("aria-pressed", "false")
        button(tab, "piano", 1).click()
        pitch = hertz("piano", 1, lens, heard, LAYERS)
        wait_until(lambda pitch=pitch: hears(tab, pitch))
        expect(button(tab, "piano", 1)).to_have_attribute("aria-pressed", "true")
    button(tab, "piano", 1).click()
    wait_until(lambda: not tab.evaluate("report.player.playing"))


def test_keys_go_from_layer_to_layer_of_what_the_switches_show(tab: Page) -> None:
    choose(tab, "While the model plays")
    tab.keyboard.press("n")
    expect(button(tab, "guitar", 0)).to_be_focused()
    tab.keyboard.press("n")
    expect(button(tab, "guitar", 1)).to_be_focused()
    wait_until(lambda: hears(tab, hertz("guitar", 1, "plain", "read", LAYERS)))
    for focused in (("guitar", 2), ("piano", 0)):
        tab.keyboard.press("n")
        expect(button(tab, *focused)).to_be_focused()
    tab.keyboard.press("p")
    expect(button(tab, "guitar", 2)).to_be_focused()


def test_the_last_press_is_heard_whichever_clip_comes_first(tab: Page) -> None:
    choose(tab, "While the model plays")
    late: list[Route] = []
    layers = [
        button(tab, "guitar", layer).locator("..").get_attribute("data-clip") for layer in (0, 1)
    ]

    def keep(request: Route) -> None:
        late.append(request)

    tab.route(f"**/clips/{layers[0]}.js", keep)
    tab.reload()
    tab.evaluate(LOOP)
    choose(tab, "While the model plays")
    for layer in (0, 1):
        tab.keyboard.press("n")
        expect(button(tab, "guitar", layer)).to_be_focused()
    expect(button(tab, "guitar", 1)).to_have_attribute("aria-pressed", "true")
    for request in late:
        request.continue_()
    tab.wait_for_function(
        "id => report.samples.some((one) => one.figure.dataset.clip === id && one.clip)",
        arg=layers[0],
    )
    wait_until(lambda: hears(tab, hertz("guitar", 1, "plain", "read", LAYERS)))
    expect(button(tab, "guitar", 0)).to_have_attribute("aria-pressed", "false")


def test_a_button_says_what_the_tagger_names(tab: Page) -> None:
    for heard, lens in product(("Alone", "While the model plays"), ("Plain lens", "Tuned lens")):
        choose(tab, heard)
        choose(tab, lens)
        assert tab.locator(".exits [data-play]:visible").count() == 4 * LAYERS
        expect(button(tab, "guitar", 0)).to_contain_text("piano")
        expect(button(tab, "guitar", 2)).to_contain_text("guitar ✓")
        expect(button(tab, "guitar", 2).locator("xpath=..")).to_contain_text("0.42")
    tab.get_by_text("Prompts", exact=True).click()
    expect(tab.get_by_text(PROMPT).first).to_be_visible()


def test_the_switch_works_by_keyboard(tab: Page) -> None:
    tab.get_by_role("radio", name="Plain lens").focus()
    tab.keyboard.press("ArrowRight")
    expect(tab.get_by_role("radio", name="Tuned lens")).to_be_checked()
    shown = tab.locator(".exit:visible").evaluate_all("all => all.map((e) => e.dataset.ways)")
    assert all("tuned-sampled" in ways.split() for ways in shown)


def test_on_a_phone_only_the_table_scrolls(tab: Page) -> None:
    tab.set_viewport_size({"width": 390, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    card = tab.locator(".exits-listening .scroll")
    assert card.evaluate("card => card.scrollWidth > card.clientWidth")
    # The concepts stay in sight.
    heading = tab.get_by_role("rowheader", name="guitar")
    before = heading.bounding_box()
    card.evaluate("card => card.scrollTo(200, 0)")
    assert heading.bounding_box() == before


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_is_accessible(tab: Page, theme: str) -> None:
    tab.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    assert violations(tab) == []


def test_ids_are_distinct(tab: Page) -> None:
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
