"""The page in a real Chromium: labelling with the keyboard alone, with sound."""

import errno
import os
import re
import threading

import pytest
from playwright.sync_api import Browser, expect

from leitmotif.review.session import Session
from tests.accessibility import violations
from tests.review.conftest import Build
from tests.review.serving import lasting_port, running, start, threaded
from tests.review.tabs import KEYS, Tab, decisions, heard_playing
from tests.waiting import wait_until


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
        assert page.locator("#track b, #last b:not([data-verdict-look])").count() == 0
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
        expect(page.get_by_role("button", name=re.compile("^Play motif"))).to_be_in_viewport(
            ratio=1
        )
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
