"""The page in a real Chromium: labelling with the keyboard alone, with sound."""

import errno
import math
import os
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect

from leitmotif.review.log import read_log
from leitmotif.review.session import ReviewSources, Session
from leitmotif.tables.decisions import Decision
from tests.accessibility import violations
from tests.review.conftest import Build
from tests.review.serving import lasting_port, running, start, threaded
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

KEYS = {"p": "positive", "n": "negative", "a": "ambiguous", "r": "rejected"}
LOUDEST = """() => {
  const heard = new Float32Array(2048);
  review.player.analyser.getFloatTimeDomainData(heard);
  return Math.max(...heard.map(Math.abs));
}"""


class Tab:
    """A tab that notes every request and everything that goes wrong in it."""

    def __init__(
        self, browser: Browser, address: str, reviewer: str = "ana", **options: Any
    ) -> None:
        self.page: Page = browser.new_context(**options).new_page()
        self.page.set_default_timeout(120_000)
        self.address = f"{address}/as/{reviewer}/review"
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._note)

    def _note(self, message: ConsoleMessage) -> None:
        # A refused request is noted by the browser; what the page makes of it is tested.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(message.text)

    def open(self, path: str = "") -> Page:
        self.page.goto(self.address + path)
        expect(self.page.locator("#item, #message").filter(visible=True)).to_be_visible()
        return self.page

    def pair(self) -> str:
        return str(self.page.evaluate("review.current.pair"))

    def press(self, key: str) -> None:
        """Press a verdict's key, and wait until the next item, or the end, is shown."""
        before = self.pair()
        self.page.keyboard.press(key)
        wait_until(lambda: self.page.evaluate("review.current?.pair") != before)


@pytest.fixture
def tab(browser: Browser, session: Session) -> Iterator[Tab]:
    with threaded(session) as address:
        tab = Tab(browser, address)
        yield tab
        tab.page.context.close()
    assert tab.errors == []


def decisions(sources: ReviewSources, reviewer: str = "ana") -> list[Decision]:
    entries = read_log(sources.decisions / f"{reviewer}.jsonl").entries
    return [entry for entry in entries if isinstance(entry, Decision)]


def test_ten_items_are_labelled_by_keyboard_with_sound(browser: Browser, build: Build) -> None:
    sources = build(tracks=2, proposals=5, window_seconds=1.5)
    with running(sources) as server:
        tab = Tab(browser, server.address)
        page = tab.open()
        pressed = []
        for number, key in enumerate("pnarpnarpn"):
            pressed.append((tab.pair(), KEYS[key]))
            silent, samples, expected = page.evaluate(
                """() => {
                  const buffers = Object.values(review.current.buffers);
                  const loudest = Math.min(...buffers.map((buffer) =>
                    buffer.getChannelData(0).reduce((most, value) => Math.max(most, value), 0)));
                  return [loudest < 0.1, buffers.map((buffer) => buffer.length),
                    Object.values(review.current.clips).map((clip) => clip.samples)];
                }"""
            )
            assert not silent
            assert samples == expected  # decoded as cut: not resampled, nothing padded
            if number == 0:  # the following ones play by themselves
                page.keyboard.press("l")  # until the verdict, however slow the machine
                page.keyboard.press("Space")
            heard_playing(page)
            tab.press(key)
        expect(page.locator("#message-title")).to_have_text("All decided")
        assert [(saved.pair, saved.verdict) for saved in decisions(sources)] == pressed
        assert len({pair for pair, _ in pressed}) == 10
        assert all(url.startswith(server.address) for url in tab.requests)
        assert tab.errors == []
        page.context.close()


def heard_playing(page: Page) -> None:
    """Wait until the clock runs and what goes to the loudspeakers is not silent."""
    start = page.evaluate("review.player.context.currentTime")
    wait_until(lambda: page.evaluate("review.player.context.currentTime") > start + 0.05)
    wait_until(lambda: page.evaluate(LOUDEST) > 0.05)


@pytest.mark.parametrize(("key", "mode"), [("1", "motif"), ("2", "recurrence"), ("3", "both")])
def test_each_way_of_playing(tab: Tab, key: str, mode: str) -> None:
    page = tab.open()
    page.keyboard.press("l")  # a slow machine may look only after the second that a window lasts
    page.keyboard.press(key)
    heard_playing(page)
    assert page.evaluate("review.playing()") == mode
    names = {"both": {"motif", "recurrence"}}.get(mode, {mode})
    # Positions lag behind the sound by the latency of the loudspeakers.
    wait_until(lambda: set(page.evaluate("review.positions()")) == names)
    expect(page.locator(f"[data-play={mode}]")).to_have_class(re.compile("on"))
    page.keyboard.press("Space")
    expect(page.locator("body")).not_to_have_attribute("data-playing", "")
    assert page.evaluate("review.playing()") is None


def test_what_plays_is_the_windows_of_both_clips_in_turn(tab: Tab) -> None:
    page = tab.open()
    page.keyboard.press("Space")
    heard_playing(page)
    rate, length, *compared = page.evaluate(
        """() => {
          const [sound] = review.player.buffers;
          const { clips, windows, buffers, sample_rate: rate } = review.current;
          const compared = (name, at) => {
            const first = windows[name].start_sample - clips[name].start_sample;
            return [buffers[name].getChannelData(0)[first + rate / 2],
              ...[0, 1].map((channel) => sound.getChannelData(channel)[at + rate / 2])];
          };
          const pause = Math.round(0.35 * rate);
          return [rate, sound.length, compared("motif", 0),
            compared("recurrence", windows.motif.samples + pause)];
        }"""
    )
    assert length == pytest.approx(2.35 * rate, abs=1)  # windows of a second, a pause between
    for clip, left, right in compared:
        assert abs(clip) > 0.001
        assert (left, right) == pytest.approx((clip / 2**0.5,) * 2, rel=1e-5)


def test_both_at_once_stand_left_and_right(tab: Tab) -> None:
    page = tab.open()
    page.keyboard.press("3")
    heard_playing(page)
    left, right, motif, recurrence = page.evaluate(
        """() => {
          const { clips, windows, buffers, sample_rate: rate } = review.current;
          const middle = (name) => buffers[name].getChannelData(0)[
            windows[name].start_sample - clips[name].start_sample + rate / 2];
          const [sound] = review.player.buffers;
          return [...[0, 1].map((channel) => sound.getChannelData(channel)[rate / 2]),
            middle("motif"), middle("recurrence")];
        }"""
    )
    near, far = math.cos(0.15 * math.pi / 2), math.sin(0.15 * math.pi / 2)
    assert left == pytest.approx(near * motif + far * recurrence, abs=1e-6)
    assert right == pytest.approx(far * motif + near * recurrence, abs=1e-6)


def test_a_start_that_is_tried_again_listens_to_each_key_once(tab: Tab) -> None:
    refused = iter([True])

    def first_fails(route: Route) -> None:
        route.abort() if next(refused, False) else route.continue_()

    tab.page.route("**/api/review/next**", first_fails)
    page = tab.open()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#item")).to_be_visible()
    page.keyboard.press("l")
    expect(page.locator("[data-toggle=loop]")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("?")
    expect(page.locator("#legend h3")).to_have_text(
        ["Listen", "Decide", "Move the windows", "Page"]
    )


def test_a_loop_goes_on_and_context_widens(tab: Tab) -> None:
    page = tab.open()
    page.keyboard.press("l")
    page.keyboard.press("2")
    start = page.evaluate("review.player.context.currentTime")
    # The window lasts a second.
    wait_until(lambda: page.evaluate("review.player.context.currentTime") > start + 2.2)
    assert page.evaluate("review.playing()") == "recurrence"
    page.keyboard.press("l")
    page.keyboard.press("Space")
    before = page.locator("#motif-times").inner_text()
    page.keyboard.press("c")
    expect(page.locator("[data-toggle=context]")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("2")
    wait_until(lambda: "recurrence" in page.evaluate("review.positions()"))
    # The recurrence's window starts 4 s into its clip; with context it plays from the beginning.
    assert page.evaluate("review.positions().recurrence") < 3
    assert page.locator("#motif-times").inner_text() == before


def test_edges_note_undo_and_skip_by_keyboard(tab: Tab, session: Session) -> None:
    page = tab.open()
    first = tab.pair()
    page.keyboard.press("ArrowRight")  # the recurrence's start is chosen at first
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("e")
    expect(page.get_by_role("slider", name="End of the recurrence")).to_be_focused()
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("m")
    page.keyboard.type("P is <b>clear</b>")
    page.keyboard.press("Enter")
    expect(page.locator("#note-dialog")).to_be_hidden()
    tab.press("p")
    (saved,) = decisions(session.sources)
    assert saved.pair == first
    assert saved.note == "P is <b>clear</b>"
    assert saved.motif.start_sample == saved.proposed_motif.start_sample
    moved = saved.recurrence.start_sample - saved.proposed_recurrence.start_sample
    assert moved == 6 * 640
    assert saved.proposed_recurrence.samples - saved.recurrence.samples == 6 * 640 + 5 * 640

    page.keyboard.press("u")
    expect(page.locator("#toast")).to_contain_text("Undone")
    wait_until(lambda: tab.pair() == first)
    assert session.index.standing() == []
    tab.press("s")
    assert tab.pair() != first
    expect(page.locator("#progress-text")).to_contain_text("1 skipped")


def test_scores_show_after_the_decision_only(tab: Tab) -> None:
    page = tab.open()
    assert "score" not in page.locator("body").inner_text()
    tab.press("n")
    expect(page.locator("#last")).to_contain_text("Negative")
    expect(page.locator("#last")).to_contain_text("score")


def test_markup_in_a_name_is_shown_not_run(browser: Browser, build: Build) -> None:
    name = "<img src=x onerror=window.hacked=1><b>bold.wav"
    session = Session(build(tracks=1, proposals=2, name=name))
    with threaded(session) as address:
        tab = Tab(browser, address)
        page = tab.open()
        expect(page.locator("#track")).to_have_text(name)
        tab.press("p")
        expect(page.locator("#last")).to_contain_text(name)
        assert page.evaluate("window.hacked") is None
        assert page.locator("#track b, #last b:not([data-verdict])").count() == 0
        assert tab.errors == []


def test_two_tabs_a_reload_and_the_back_button(tab: Tab, session: Session) -> None:
    page = tab.open()
    first = tab.pair()
    other = page.context.new_page()
    other.goto(tab.address)
    expect(other.locator("#item")).to_be_visible()
    tab.press("p")
    other.keyboard.press("n")
    expect(other.locator("#toast")).to_contain_text("decided this item already")
    assert len(decisions(session.sources)) == 1
    second = tab.pair()
    wait_until(lambda: other.evaluate("review.current.pair") == second)  # and goes on

    page.reload()
    expect(page.locator("#item")).to_be_visible()
    assert tab.pair() == second
    page.go_back()
    expect(page.locator("#own")).to_contain_text("You decided: positive")
    assert tab.pair() == first
    page.keyboard.press("n")
    expect(page.locator("#toast")).to_contain_text("You already decided: positive")
    assert len(decisions(session.sources)) == 1


@pytest.mark.fault("leitmotif review", "the server dies", outcome="said; the verdict is saved once")
def test_a_server_that_dies_is_said_and_the_verdict_saved_once(
    browser: Browser, build: Build
) -> None:
    sources = build(tracks=1, proposals=3)
    server = start(sources, port=lasting_port())
    tab = Tab(browser, server.address)
    page = tab.open()
    first = tab.pair()
    server.kill()
    page.keyboard.press("p")
    expect(page.locator("#toast")).to_contain_text("The server does not answer")
    assert tab.pair() == first
    server = start(sources, port=server.port)
    tab.press("p")
    assert [(saved.pair, saved.verdict) for saved in decisions(sources)] == [(first, "positive")]
    server.kill()
    page.context.close()


@pytest.mark.fault("leitmotif review", "full disk", outcome="said; the page stays")
def test_a_full_disk_is_said_and_the_page_stays(
    tab: Tab, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tab.open()
    first = tab.pair()
    page.wait_for_load_state("networkidle")
    real, failing = os.write, threading.Event()
    failing.set()

    def write(file: int, data: bytes) -> int:
        if failing.is_set() and b'"action": "decide"' in bytes(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, data)

    monkeypatch.setattr(os, "write", write)
    page.keyboard.press("a")
    expect(page.locator("#toast")).to_contain_text("No space left on device")
    expect(page.locator("#toast")).to_contain_text("not saved")
    assert tab.pair() == first
    failing.clear()
    tab.press("a")
    assert [saved.verdict for saved in decisions(session.sources)] == ["ambiguous"]


def test_what_cannot_be_heard_is_said(browser: Browser, build: Build) -> None:
    session = Session(build(tracks=1, proposals=1, seconds=6))
    with threaded(session) as address:
        tab = Tab(browser, address)
        page = tab.open()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("the window lies beyond the end of the recording")
        expect(page.get_by_role("button", name="Positive")).to_be_disabled()
        page.keyboard.press("p")
        expect(page.locator("#toast")).to_contain_text("cannot be heard")
        tab.press("r")
        assert [saved.verdict for saved in decisions(session.sources)] == ["rejected"]
        assert tab.errors == []


def test_an_empty_queue_is_said(browser: Browser, build: Build) -> None:
    with threaded(Session(build(proposals=0))) as address:
        page = Tab(browser, address).open()
        expect(page.get_by_role("heading")).to_have_text("The queue is empty")
        expect(page.locator("#message")).to_contain_text("has no proposals")


def test_a_disagreement_is_settled(browser: Browser, session: Session) -> None:
    item = session.next("ana", "review")
    assert item is not None
    with threaded(session) as address:
        for reviewer, key in (("ana", "p"), ("ben", "n")):
            tab = Tab(browser, address, reviewer)
            tab.open(f"/{item.pair}")
            tab.press(key)
        page = tab.page
        expect(page.locator("[data-count=disagreements]")).to_have_text("")
        page.get_by_role("link", name="Disagreements").click()
        expect(page.locator("[data-count=disagreements]")).to_have_text("1")
        expect(page.locator("#others")).to_contain_text("ana: positive")
        expect(page.locator("#others")).to_contain_text("ben: negative")
        page.keyboard.press("p")
        expect(page.locator("#message-title")).to_have_text("No disagreements")
        assert [saved.queue for saved in decisions(session.sources, "ben")] == [
            "review",
            "disagreements",
        ]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_fits_and_can_be_operated(
    browser: Browser, session: Session, width: int, theme: str
) -> None:
    with threaded(session) as address:
        tab = Tab(
            browser,
            address,
            viewport={"width": width, "height": 800},
            color_scheme=theme,
            reduced_motion="reduce",
        )
        page = tab.open()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for verdict in ("Positive", "Negative", "Ambiguous", "Reject"):
            expect(page.get_by_role("button", name=verdict)).to_be_in_viewport(ratio=1)
        expect(page.get_by_role("button", name=re.compile("^Play"))).to_be_in_viewport(ratio=1)
        for name in ("motif", "recurrence"):
            for edge in ("Start", "End"):
                slider = page.get_by_role("slider", name=f"{edge} of the {name}")
                expect(slider).to_have_attribute("aria-valuetext", re.compile(r"\d+:\d\d\.\d\d"))
            expect(
                page.get_by_role("img", name=f"Waveform and chroma of the {name}")
            ).to_be_visible()
        expect(page.get_by_role("img", name="Self-similarity")).to_be_visible()
        assert violations(page) == []
        expect(page.locator("#live")).to_contain_text("New item")
        tab.press("p")
        expect(page.locator("#live")).to_contain_text(re.compile("saved|New item"))
        page.context.close()
