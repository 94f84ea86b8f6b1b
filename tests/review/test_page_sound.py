"""What the page plays in a real Chromium, and when."""

import math
import re

import pytest
from playwright.sync_api import Browser, Route, expect

from leitmotif.review.session import Session
from tests.review.conftest import Build
from tests.review.serving import threaded
from tests.review.tabs import Tab, decisions, heard_playing
from tests.waiting import wait_until


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
        ["Listen", "Decide", "Move the windows", "In words", "Page"]
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
