"""Stretches in a real Chromium: listening, selecting, answering, marking pairs."""

import errno
import os
import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from leitmotif.review.session import Session
from leitmotif.tables.corpus import Window
from tests.accessibility import violations
from tests.review.conftest import Build
from tests.review.serving import lasting_port, start, threaded
from tests.review.tabs import Tab, decisions, heard_playing, listenings
from tests.waiting import wait_until

FIELDS = ("motif-start", "motif-end", "recurrence-start", "recurrence-end")


@pytest.fixture
def session(build: Build) -> Iterator[Session]:
    """Return a session over a track with three proposals and two with none, 12 of 16 s searched."""
    searched = [Window(start_frame=0, frames=600)]
    session = Session(build(tracks=1, proposals=3, unproposed=2, windows=searched))
    yield session
    session.index.close()


@pytest.fixture
def stretches(browser: Browser, session: Session) -> Iterator[Tab]:
    with threaded(session) as address:
        tab = Tab(browser, address, queue="stretches")
        yield tab
        tab.page.context.close()
    assert tab.errors == []


def mark(page: Page, *seconds: float) -> None:
    """Fill the fields of a pair."""
    for name, second in zip(FIELDS, seconds, strict=True):
        page.locator(f"#mark-{name}").fill(str(second))


def draft(page: Page, *seconds: float) -> None:
    """Mark a pair and open it."""
    mark(page, *seconds)
    page.locator("#mark-recurrence-end").press("Enter")
    expect(page.get_by_role("button", name="Save this pair")).to_be_visible()


def test_stretches_are_answered_by_keyboard(stretches: Tab, session: Session) -> None:
    page = stretches.open()
    expect(page.get_by_role("heading", level=1)).to_have_text("Does anything else return here?")
    expect(page.locator("#whole-words")).to_have_text(
        "The recording lasts 0:16.00. Searched: 0:00.00 to 0:12.00. "
        "Not searched (hatched): 0:12.00 to 0:16.00."
    )
    first = stretches.pair()
    stretches.press("n")
    second = stretches.pair()
    stretches.press("a")
    said = listenings(session.sources)
    assert [(row.pair, row.verdict) for row in said] == [
        (first, "nothing_else"),
        (second, "cannot_tell"),
    ]
    page.keyboard.press("u")
    wait_until(lambda: stretches.pair() == second)
    assert [row.pair for row in session.index.listened()] == [first]
    stretches.press("s")
    expect(page.locator("#progress-text")).to_contain_text("1 skipped")
    expect(page.locator("#stretch-pending")).to_contain_text("3 pairs here are not decided yet")
    stretches.press("n")
    stretches.press("n")
    expect(page.locator("#message-title")).to_have_text("All stretches are answered")
    expect(page.locator("#message")).to_contain_text("decide the 3 pairs")


def test_a_stretch_is_played_from_any_place_and_a_selection_loops(stretches: Tab) -> None:
    page = stretches.open()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("review.player.position") == pytest.approx(7)
    page.keyboard.press("i")
    page.keyboard.press("l")
    page.keyboard.press("Space")
    heard_playing(page)
    start = page.evaluate("review.player.context.currentTime")
    # The selection lasts a second.
    wait_until(lambda: page.evaluate("review.player.context.currentTime") > start + 2.2)
    assert 7 <= page.evaluate("review.player.position") < 8
    assert page.evaluate("review.player.playing")
    page.keyboard.press("Space")
    assert not page.evaluate("review.player.playing")
    where = page.evaluate("review.player.position")
    assert where >= 7  # it pauses, and does not return to the start
    page.keyboard.press("h")
    assert page.evaluate("review.player.position") == 0


def test_a_press_seeks_and_a_drag_selects(stretches: Tab) -> None:
    page = stretches.open()
    box = page.locator("#seek").bounding_box()
    assert box is not None
    x, y = (lambda second: box["x"] + box["width"] * second / 16), box["y"] + 20
    page.mouse.click(x(4), y)
    assert page.evaluate("review.player.position") == pytest.approx(4, abs=0.1)
    page.mouse.move(x(6), y)
    page.mouse.down()
    page.mouse.move(x(8), y, steps=4)
    page.mouse.up()
    expect(page.locator("#selection")).to_have_text(re.compile(r"0:0[56]\.\d\d to 0:0[78]\.\d\d"))
    page.keyboard.press("2")
    assert float(page.locator("#mark-recurrence-start").input_value()) == pytest.approx(6, abs=0.1)


def test_a_pair_is_marked_heard_moved_and_saved(stretches: Tab, session: Session) -> None:
    page = stretches.open()
    stretch = stretches.pair()
    draft(page, 1, 3, 7, 9)
    assert decisions(session.sources) == []
    page.keyboard.press("l")
    page.keyboard.press("2")
    heard_playing(page)
    page.keyboard.press("Space")
    # The tones rise by a semitone every half second: 12 of them are an octave.
    assert page.evaluate("review.current.transposition") == 0
    page.locator("#numbers summary").click()
    page.locator("#draft-semitones").fill("5")
    page.locator("#draft-semitones").press("Tab")
    expect(page.locator("#words")).to_contain_text("5 semitones up")
    for key in ("n", "a", "r", "s", "u"):  # are for saved items
        page.keyboard.press(key)
    page.locator("#question").click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("p")
    wait_until(lambda: stretches.pair() == stretch)
    (added,) = decisions(session.sources)
    assert (added.proposal_id, added.verdict, added.transposition) == (None, "positive", 5)
    assert added.recurrence.start_sample == added.proposed_recurrence.start_sample == 7.02 * 32000
    expect(page.locator("#here")).to_contain_text("you decided: positive")
    expect(page.locator("#mark-motif-start")).to_have_value("")

    page.keyboard.press("u")  # the pair, not a listening
    expect(page.locator("#here")).to_contain_text("None was proposed or added.")
    expect(page.locator("#mark-motif-start")).to_have_value("1.00")
    assert session.index.standing() == []


def test_marks_stay_when_a_pair_is_not_saved(stretches: Tab, session: Session) -> None:
    page = stretches.open()
    draft(page, 1, 3, 7, 9)
    page.keyboard.press("e")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("b")
    expect(page.locator("#stretch")).to_be_visible()
    values = [page.locator(f"#mark-{name}").input_value() for name in FIELDS]
    assert values == ["1", "3", "7", "8.90"]
    assert decisions(session.sources) == []
    stretches.press("n")
    expect(page.locator("#mark-motif-start")).to_have_value("")  # another stretch


def test_what_cannot_be_a_pair_is_said(stretches: Tab) -> None:
    page = stretches.open()
    page.keyboard.press("d")
    expect(page.locator("#toast")).to_contain_text("The motif needs a start and a later end")
    page.locator("#stretch-question").click()
    mark(page, 1, 3, 2, 4)
    page.locator("#mark-recurrence-end").press("Enter")
    expect(page.locator("#toast")).to_contain_text("before the motif has ended")
    mark(page, 1, 3, 11, 13)
    page.locator("#mark-recurrence-end").press("Enter")
    expect(page.locator("#toast")).to_contain_text("within a section that is searched")
    expect(page.locator("#mark-motif-start")).to_have_value("1")


def test_a_pair_that_stands_is_opened_instead(stretches: Tab, session: Session) -> None:
    item = session.next("ana", "review")
    assert item is not None
    where = session.material.stretch_at(item.track_id, 0)  # type: ignore[union-attr]
    assert where is not None
    page = stretches.open(f"/{where.pair}")
    mark(page, 0.05, 1, 6.01, 7)
    page.locator("#mark-recurrence-end").press("Enter")
    expect(page.locator("#question")).to_have_text("Does this motif return?")
    expect(page.locator("#toast")).to_contain_text("is in the queue: this one")
    assert page.url.endswith(f"/review/{stretches.pair()}")


def test_a_pair_is_added_from_the_first_queue(tab: Tab) -> None:
    page = tab.open()
    track = page.locator("#track").inner_text()
    page.keyboard.press("d")
    expect(page.locator("#stretch-question")).to_be_visible()
    expect(page.locator("#stretch-track")).to_contain_text(track.split(" · ")[0])


def test_two_tabs_answer_a_stretch_once(stretches: Tab, session: Session) -> None:
    page = stretches.open()
    other = page.context.new_page()
    other.goto(stretches.address)
    expect(other.locator("#stretch")).to_be_visible()
    stretches.press("n")
    other.keyboard.press("a")
    expect(other.locator("#toast")).to_contain_text("decided this item already")
    assert [said.verdict for said in listenings(session.sources)] == ["nothing_else"]
    second = stretches.pair()
    wait_until(lambda: other.evaluate("review.current.pair") == second)  # and goes on
    draft(page, 1, 3, 7, 9)
    draft(other, 1, 3, 7.1, 9)
    page.keyboard.press("p")
    wait_until(lambda: len(decisions(session.sources)) == 1)
    other.keyboard.press("p")
    expect(other.locator("#toast")).to_contain_text("is in the queue: this one")
    assert len(decisions(session.sources)) == 1


@pytest.mark.fault(
    "leitmotif review", "the server dies at a listening or an added pair", outcome="saved once"
)
def test_a_server_that_dies_is_said_and_all_is_saved_once(browser: Browser, build: Build) -> None:
    sources = build(tracks=0, unproposed=2)
    server = start(sources, port=lasting_port())
    tab = Tab(browser, server.address, queue="stretches")
    page = tab.open()
    first = tab.pair()
    page.wait_for_load_state("networkidle")
    draft(page, 1, 3, 7, 9)
    server.kill()
    page.keyboard.press("p")
    expect(page.locator("#toast")).to_contain_text("The server does not answer")
    server = start(sources, port=server.port)
    page.keyboard.press("p")
    wait_until(lambda: tab.pair() == first)
    assert len(decisions(sources)) == 1
    page.wait_for_load_state("networkidle")
    server.kill()
    page.keyboard.press("n")
    wait_until(lambda: page.locator("#alarm").inner_text().startswith("The server does not answer"))
    assert tab.pair() == first
    server = start(sources, port=server.port)
    tab.press("n")
    assert [said.pair for said in listenings(sources)] == [first]
    server.kill()
    page.context.close()


@pytest.mark.fault("leitmotif review", "full disk, at a stretch", outcome="said; the page stays")
def test_a_full_disk_is_said_and_the_stretch_stays(
    stretches: Tab, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = stretches.open()
    first = stretches.pair()
    page.wait_for_load_state("networkidle")
    real, failing = os.write, threading.Event()
    failing.set()

    def write(file: int, data: bytes) -> int:
        if failing.is_set() and b'"action": "listen"' in bytes(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, data)

    monkeypatch.setattr(os, "write", write)
    page.keyboard.press("n")
    expect(page.locator("#toast")).to_contain_text("No space left on device")
    assert stretches.pair() == first
    failing.clear()
    stretches.press("n")
    assert [said.verdict for said in listenings(session.sources)] == ["nothing_else"]


def test_a_stretch_that_cannot_be_heard_is_said(browser: Browser, build: Build) -> None:
    sources = build(tracks=0, unproposed=1)
    next((sources.corpus / "audio").iterdir()).unlink()
    session = Session(sources)
    with threaded(session) as address:
        tab = Tab(browser, address, queue="stretches")
        page = tab.open()
        expect(page.locator("#stretch-problem")).to_contain_text("This stretch cannot be heard")
        expect(page.get_by_role("button", name="Nothing else returns")).to_be_disabled()
        page.keyboard.press("n")
        expect(page.locator("#toast")).to_contain_text("cannot be heard")
        for key in ("Space", "ArrowRight", "i", "l", "1"):
            page.keyboard.press(key)
        tab.press("a")
        assert [said.verdict for said in listenings(sources)] == ["cannot_tell"]
        assert tab.errors == []
    session.index.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_stretches_and_drafts_fit_and_can_be_operated(
    browser: Browser, session: Session, width: int, theme: str
) -> None:
    with threaded(session) as address:
        tab = Tab(
            browser,
            address,
            queue="stretches",
            viewport={"width": width, "height": 860},
            color_scheme=theme,
            reduced_motion="reduce",
        )
        page = tab.open()
        for answer in ("Nothing else returns", "Cannot tell", "Play from the playing position"):
            expect(page.get_by_role("button", name=answer)).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
        draft(page, 1, 3, 7, 9)
        expect(page.get_by_role("button", name="Save this pair")).to_be_in_viewport(ratio=1)
        page.locator("#numbers summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
        page.context.close()
    assert tab.errors == []
