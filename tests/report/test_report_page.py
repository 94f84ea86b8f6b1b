"""The report in a real Chromium, opened from a copied folder, with sound."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.accessibility import violations
from tests.report.conftest import built
from tests.report.listened import PITCH
from tests.report.made import AFTER_HZ, BEFORE_HZ, Made
from tests.waiting import wait_until

FRAME = 1 / 50
LOUDEST = """() => {
  const heard = new Float32Array(2048);
  report.player.analyser?.getFloatTimeDomainData(heard);
  return Math.max(...heard.map(Math.abs));
}"""


@pytest.fixture
def copied(report_folder: Path, tmp_path: Path) -> Path:
    """The report, copied to a folder with a name that an address has to escape."""
    return Path(shutil.copytree(report_folder, tmp_path / "sent by post #1"))


class Tab:
    """A tab that notes every request and everything that goes wrong in it."""

    def __init__(self, browser: Browser, folder: Path, **options: Any) -> None:
        self.page: Page = browser.new_context(**options).new_page()
        self.page.set_default_timeout(120_000)
        self.folder = folder
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._note)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def open(self, path: str, *, clips: bool = True) -> Page:
        self.page.goto((self.folder / path).as_uri())
        if clips:
            self.page.wait_for_function("report.desk.clips !== null")
        return self.page


@pytest.fixture
def tab(browser: Browser, copied: Path) -> Iterator[Tab]:
    tab = Tab(browser, copied)
    yield tab
    assert tab.errors == []
    inside = copied.as_uri() + "/"
    assert all(url.startswith((inside, "blob:")) for url in tab.requests), tab.requests
    tab.page.context.close()


def finding(folder: Path) -> str:
    return next((folder / "pairs").glob("planner-layers*")).relative_to(folder).as_posix()


def hiss(page: Page, hertz: float) -> bool:
    return abs(page.evaluate(PITCH) - hertz) < 25


def test_sound_plays_and_a_switch_keeps_the_place(tab: Tab, copied: Path) -> None:
    page = tab.open(finding(copied))
    assert page.evaluate(LOUDEST) <= 0
    page.keyboard.press("l")  # however slow the machine
    page.keyboard.press("s")  # to where the two differ
    assert page.evaluate("report.player.position") == pytest.approx(1.875 - 0.5)
    page.keyboard.press("Space")
    wait_until(lambda: page.evaluate(LOUDEST) > 0.1)
    place = page.evaluate("report.player.position")
    wait_until(lambda: page.evaluate("report.player.position") != place)
    # Leave the motif out of what is measured.
    page.evaluate("report.player.setLoop([1.4, 2.8]); report.player.seek(1.5)")
    wait_until(lambda: hiss(page, BEFORE_HZ))
    for key, hertz, heard in (("x", AFTER_HZ, 1), ("a", BEFORE_HZ, 0), ("b", AFTER_HZ, 1)):
        before, after = page.evaluate(
            """(key) => {
              const drift = () => report.player.position - report.player.context.currentTime;
              const before = drift();
              document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
              return [before, drift()];
            }""",
            key,
        )
        assert page.evaluate("report.player.chosen") == heard
        # A whole loop may have passed; less than a frame must not.
        assert min(abs(after - before), abs(abs(after - before) - 1.4)) < FRAME
        wait_until(lambda hertz=hertz: hiss(page, hertz))
    expect(page.locator(".lane[data-letter=B]")).to_have_attribute("data-heard", "")
    # Also before a start that is still to come.
    page.evaluate("report.player.seek(1.5); report.desk.choose(0)")
    wait_until(lambda: hiss(page, BEFORE_HZ))
    page.keyboard.press("Space")
    wait_until(lambda: not page.evaluate("report.player.playing"))


def test_both_sounds_are_decoded_as_they_were_made_and_start_together(
    tab: Tab, copied: Path
) -> None:
    page = tab.open(finding(copied))
    lengths = page.evaluate(
        "report.player.buffers.map(({ length, sampleRate }) => [length, sampleRate])"
    )
    assert lengths == [[96_000, 32_000]] * 2
    apart = page.evaluate(
        """() => {
          const [a, b] = report.player.buffers.map((buffer) => buffer.getChannelData(0));
          return a.findIndex((value, at) => Math.abs(value - b[at]) > 1e-6);
        }"""
    )
    assert apart == pytest.approx(32_000, abs=2)  # equal up to the end of the prefix


def test_everything_can_be_done_with_the_keyboard(tab: Tab, copied: Path) -> None:
    page = tab.open(finding(copied))
    expect(page.locator("[data-place]")).to_have_text("1 of 8")
    page.keyboard.press("n")
    expect(page.locator("[data-place]")).to_have_text("2 of 8")
    expect(page.locator("[data-track]")).to_have_text("piece_2")
    page.keyboard.press("p")
    page.keyboard.press("p")
    expect(page.locator("[data-place]")).to_have_text("8 of 8")
    page.wait_for_function("report.player.buffers.length === 2")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("report.player.position") == pytest.approx(1.0)
    page.keyboard.press("l")
    expect(page.locator("[data-do=loop]")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("?")
    legend = page.locator("#legend")
    expect(legend).to_be_visible()
    for words in ("play, pause", "switch between A and B, in place", "more natural: no difference"):
        expect(legend).to_contain_text(words)
    page.keyboard.press("Escape")
    for works in (False, True):
        page.locator("#legend-open").click()
        page.locator("#single-keys").set_checked(works)
        page.keyboard.press("Escape")
        page.keyboard.press("n")
        expect(page.locator("[data-place]")).to_have_text("1 of 8" if works else "8 of 8")
    page.keyboard.press("h")
    expect(page.locator("[data-do=blind]")).to_have_attribute("aria-pressed", "true")
    # By Tab alone, too: a pair's button opens it.
    button = page.locator("[data-pair]").nth(2)
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-current", "true")


def test_a_link_to_a_pair_opens_it(tab: Tab, copied: Path) -> None:
    page = tab.open("blind.html")
    wanted = page.evaluate("report.desk.pairs.find(({ track }) => track === 'piece_2').page")
    page = tab.open(wanted.partition("#")[0])
    page.goto((copied / wanted.partition("#")[0]).as_uri() + "#" + wanted.partition("#")[2])
    page.reload()
    page.wait_for_function("report.desk.clips !== null")
    assert page.evaluate("report.desk.pair.id") == wanted.partition("#")[2]


def test_blind_hides_which_is_which_until_both_answers(tab: Tab) -> None:
    page = tab.open("blind.html")
    desk = page.locator(".desk")
    assert page.evaluate("report.desk.hiding")
    shown = desk.inner_text().lower()
    assert "pair 1" in shown
    for word in ("before", "after", "patched", "returns", "planner", "reader", "equal", "clap"):
        assert word not in shown
    expect(page.locator("a[download]").first).to_be_hidden()
    assert page.locator("a[download][href]").count() == 0
    described = page.locator(".view").first.get_attribute("aria-label")
    assert described == "A: waveform and chroma of the prefix; the continuation is hidden"
    marks = page.evaluate(
        "report.desk.lanes.map(({ score }) => score.marks.map(({ kind }) => kind))"
    )
    assert marks == [["slot", "line", "motif"]] * 2
    assert page.evaluate("report.desk.lanes.every(({ score }) => score.hidden === 1)")
    expect(page.locator("[data-answer=natural]").first).to_be_disabled()
    page.keyboard.press("5")  # not before the first question
    assert page.evaluate("report.answers.count") == 0
    page.keyboard.press("1")
    page.keyboard.press("7")
    assert page.evaluate("report.answers.count") == 1
    expect(desk).to_contain_text("before: untreated")
    expect(page.locator("[data-given]")).to_have_text(
        "You heard the motif in A only; more natural: no difference."
    )
    expect(page.locator("[data-count]")).to_have_text("1 pair answered")
    assert page.locator("a[download][href]").count() == 2
    kinds = page.evaluate(
        "report.desk.lanes.flatMap(({ score }) => score.marks.map(({ kind }) => kind))"
    )
    assert "return" in kinds


def test_what_is_blind_in_a_page_of_a_candidate_hides_its_verdict(tab: Tab, copied: Path) -> None:
    page = tab.open(finding(copied))
    verdict = page.locator("main .verdict").first
    expect(verdict).to_be_visible()
    page.keyboard.press("h")
    expect(verdict).to_be_hidden()
    for tells in page.locator("tbody .tells").all():
        expect(tells).to_be_hidden()
    page.keyboard.press("h")
    expect(verdict).to_be_visible()


def test_answers_are_kept_saved_and_counted(tab: Tab, tmp_path: Path) -> None:
    page = tab.open("blind.html")
    total = page.evaluate("report.desk.pairs.length")
    for number in range(total):
        # As the engine hears it, by the assignment that the page keeps to itself.
        key = page.evaluate(
            """() => {
              const { desk, answers } = report;
              const a = answers.first(desk.pair);
              const said = { both: 3, neither: 4 }[desk.pair.measured];
              return String(said ?? (desk.pair.measured === a ? 1 : 2));
            }"""
        )
        page.keyboard.press(key)
        page.keyboard.press("6")
        if number < total - 1:
            page.keyboard.press("n")
            page.wait_for_function("report.desk.clips !== null")
    order = page.evaluate("report.desk.pairs.map(({ id }) => id)")
    tab.open("blind.html")
    assert page.evaluate("report.answers.count") == total
    assert page.evaluate("report.desk.pairs.map(({ id }) => id)") == order
    expect(page.locator("[data-agree]")).to_have_text(f"{total} of {total}")
    with page.expect_download() as download:
        page.locator(".tally [data-do=save]").click()
    download.value.save_as(tmp_path / "answers.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [row["pair"] for row in rows] == order
    for row in rows:
        assert row["measured"] == row["motif_in"]
        assert row["more_natural"] == ("after" if row["a"] == "before" else "before")
        assert len(row["audio_sha256"]["before"]) == 64
        assert row["time"].endswith("Z")
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator(".tally [data-do=over]").click()
    assert page.evaluate("report.answers.count") == 0
    assert page.evaluate("report.desk.hiding")


@pytest.mark.parametrize("seed", range(4))
def test_a_listener_keeps_the_assignment_and_another_has_another(tab: Tab, seed: int) -> None:
    page = tab.open("blind.html")
    first = """(seed) => {
      report.answers.seed = seed;
      return report.desk.pairs.map((pair) => report.answers.first(pair));
    }"""
    mine = page.evaluate(first, seed)
    assert page.evaluate(first, seed) == mine
    assert page.evaluate(first, seed + 1000) != mine


def test_without_storage_answers_last_until_the_page_is_left_and_it_says_so(
    browser: Browser, copied: Path
) -> None:
    tab = Tab(browser, copied)
    tab.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied'); } });"
    )
    page = tab.open("blind.html")
    expect(page.locator(".not-kept")).to_be_visible()
    page.keyboard.press("3")
    page.keyboard.press("5")
    expect(page.locator("[data-count]")).to_have_text("1 pair answered")
    assert json.loads(page.evaluate("report.answers.lines()"))["motif"] == "both"
    assert tab.errors == []


def test_without_web_audio_the_page_says_where_the_sounds_are(
    browser: Browser, copied: Path
) -> None:
    tab = Tab(browser, copied)
    tab.page.add_init_script("delete window.AudioContext; delete window.OfflineAudioContext;")
    page = tab.open(finding(copied))
    expect(page.locator("#no-audio")).to_be_visible()
    expect(page.locator("[data-do=play]")).to_be_disabled()
    expect(page.locator("a[download]").first).to_be_visible()
    assert tab.errors == []


@pytest.mark.fault("report", "a clip is missing", outcome="named; the others play")
def test_a_missing_clip_is_named_and_the_other_pairs_play(browser: Browser, copied: Path) -> None:
    tab = Tab(browser, copied)
    page = tab.open(finding(copied))
    lost = page.evaluate("report.desk.pair.after.clip")
    (copied / f"clips/{lost}.js").unlink()
    page = tab.open(finding(copied), clips=False)
    problem = page.locator(".desk .problem")
    expect(problem).to_contain_text(f"clips/{lost}.js is missing: copy the whole folder")
    expect(page.locator("[data-do=play]")).to_be_disabled()
    page.keyboard.press("n")
    page.wait_for_function("report.player.buffers.length === 2")
    expect(problem).to_be_hidden()


@pytest.mark.parametrize("width", [390, 640, 800, 920, 1280])
def test_nothing_scrolls_sideways(tab: Tab, copied: Path, width: int) -> None:
    tab.page.set_viewport_size({"width": width, "height": 800})
    for path in ["index.html", "blind.html", finding(copied)]:
        page = tab.open(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for box in page.locator(".scroll").all():
            assert box.evaluate("one => one.scrollWidth <= one.clientWidth")


def test_pictures_are_drawn_in_both_themes(tab: Tab, copied: Path) -> None:
    page = tab.open(finding(copied))
    painted = """() => {
      const canvas = document.querySelector(".view canvas");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    }"""
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(painted) > 20
    light = page.evaluate(paper)
    for _ in range(2):  # system, light, dark
        page.locator("#theme").click()
    assert page.evaluate(paper) != light
    assert page.evaluate(painted) > 20


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible(browser: Browser, copied: Path, theme: str) -> None:
    tab = Tab(browser, copied, color_scheme=theme, reduced_motion="reduce")
    for path in ("index.html", "blind.html", finding(copied)):
        assert violations(tab.open(path)) == [], path
    tab.page.context.close()


def test_a_report_without_findings_or_clips_opens_without_errors(
    browser: Browser, made: Made, tmp_path: Path
) -> None:
    made.kept = False
    made.verdicts = [row for row in made.verdicts if row.model != "planner"]
    made.effects = [row for row in made.effects if row.model != "planner" or not row.candidate]
    tab = Tab(browser, built(made, tmp_path / "empty"))
    for path in ("index.html", "blind.html"):
        page = tab.open(path, clips=False)
        expect(page.locator(".notice", has_text="There is nothing to listen to")).to_be_visible()
    assert tab.errors == []
