"""The page without a look at it: the accessibility tree and the keyboard alone."""

import errno
import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from leitmotif.review import index as index_module
from leitmotif.review.session import Session
from tests.review.conftest import Build
from tests.review.paged import heard, saved
from tests.review.reader import Reader
from tests.review.serving import threaded
from tests.review.tabs import Tab
from tests.waiting import wait_until


@pytest.fixture
def session(build: Build) -> Iterator[Session]:
    """Return a session over a track with three proposals and one with none."""
    session = Session(build(tracks=1, proposals=3, unproposed=1))
    yield session
    session.index.close()


def test_a_queue_is_labelled_by_ear_and_tree(tab: Tab, session: Session) -> None:
    reader = Reader(tab.open())
    reader.hear("New item. Motif at 0:00.00, recurrence at 0:06.")
    assert "Does this motif return?" in [n.name for n in reader.nodes() if n.role == "heading"]
    for number, (verdict, name) in enumerate(
        [("Positive", "positive"), ("Negative", "negative"), ("Ambiguous", "ambiguous")]
    ):
        reader.press(verdict)
        reader.hear(f"{verdict} saved")
        wait_until(lambda count=number + 1: len(saved(session)) == count)
        assert saved(session)[-1].verdict == name
        if number < 2:
            reader.hear("New item.")
    reader.hear("All decided")


def test_edges_are_set_by_slider_and_by_number(tab: Tab, session: Session) -> None:
    reader = Reader(tab.open())
    reader.go_to("slider", "End of the motif")
    for key in ("ArrowLeft", "Shift+ArrowLeft", "PageUp", "PageDown"):
        tab.page.keyboard.press(key)
    assert reader.value("slider", "End of the motif") == "0.88"
    reader.go_to("DisclosureTriangle", "In words and numbers")
    tab.page.keyboard.press("Enter")
    reader.type("Start of the motif in seconds", "0.25")
    reader.type("End of the recurrence in seconds", "7.5")
    assert reader.value("slider", "Start of the motif") == "0.25"
    assert "Motif: 0:00.25 to 0:00.88, 0.63 s long." in reader.text()
    reader.press("Positive")
    reader.hear("Positive saved")
    (decided,) = saved(session)
    assert decided.motif.start_sample == 8000
    assert decided.motif.samples == 20160
    assert decided.recurrence.start_sample + decided.recurrence.samples == 7.5 * 32000


def test_what_is_shown_is_said(tab: Tab) -> None:
    reader = Reader(tab.open())
    reader.hear("New item")
    tab.page.keyboard.press("w")
    words = reader.hear("Similarity of their chroma")
    assert "The recording lasts 0:16.00. All of it is searched." in words
    assert "Motif: 0:00.00 to 0:01.00, 1.00 s long." in words
    assert re.search(r"Similarity of their chroma: (-0|0|1)\.\d", words)
    tab.page.keyboard.press("t")
    reader.hear("Nothing plays.")
    tab.page.keyboard.press("l")
    tab.page.keyboard.press("1")
    wait_until(lambda: tab.page.evaluate("review.playing()") == "motif")
    wait_until(lambda: "motif" in tab.page.evaluate("review.positions()"))
    tab.page.keyboard.press("t")
    reader.hear("Playing the motif at 0:0")


def test_a_stretch_is_answered_and_a_missing_pair_added(tab: Tab, session: Session) -> None:
    """The whole way of somebody who does not see the page: listen, mark, hear, save, answer."""
    page = tab.page
    page.goto(tab.address.replace("/review", "/stretches"))
    reader = Reader(page)
    said = reader.hear("New stretch: 0:00.00 to 0:16.00 of 1.wav. No pair here.")
    assert said
    assert "Most alike in the picture" in reader.text()
    assert re.search(r"0:\d\d\.\d\d and 0:\d\d\.\d\d, similarity \d\.\d", reader.text())

    reader.go_to("slider", "Playing position")
    for key in ("PageUp", "Home", "ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    assert reader.value("slider", "Playing position") == "6.00"
    reader.press("Position")
    reader.hear("Paused at 0:06.00, 6.00 s into the stretch.")
    reader.press("The selection Starts here")
    reader.hear("Selection: 0:06.00 to 0:07.00")
    reader.press("Take the selection as the motif")
    reader.hear("The motif is 0:06.00 to 0:07.00.")
    reader.press("Hear the pair")
    reader.hear("The recurrence needs a start and a later end", "alert")
    reader.type("Start of the new recurrence in seconds", "12")
    reader.type("End of the new recurrence in seconds", "13")
    reader.press("Hear the pair")
    reader.hear("Your pair. Motif at 0:06.00, recurrence at 0:12.00, same key.")
    reader.go_to("slider", "Start of the recurrence")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("p")
    assert "Pair saved" in reader.hear("1 pair here.")
    (added,) = saved(session)
    assert added.proposal_id is None
    assert (added.motif.start_sample, added.recurrence.start_sample) == (6 * 32000, 12.1 * 32000)
    assert (
        "Motif 0:06.00 to 0:07.00, recurrence 0:12.10 to 0:13.00, same key: you decided: positive"
        in [node.name for node in reader.nodes() if node.role == "link"]
    )
    reader.type("End of what you listened to, in seconds", "15.5")
    reader.press("Nothing else returns")
    reader.hear("Nothing else returns saved")
    reader.hear("New stretch: 0:00.00 to 0:16.00 of 0.wav. 3 pairs here.")
    (listening,) = heard(session)
    assert listening.verdict == "nothing_else"
    assert listening.stretch.samples == 15.5 * 32000
    assert "3 pairs here are not decided yet." in reader.text()


def test_errors_are_said_at_once(
    tab: Tab, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(tab.open())
    reader.hear("New item")
    tab.page.wait_for_load_state("networkidle")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(index_module, "append", full)
    tab.page.keyboard.press("p")
    assert "not saved" in reader.hear("No space left on device", "alert")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("where", ["pair", "draft", "stretch"])
def test_every_control_has_a_role_and_a_name(
    browser: Browser, session: Session, where: str, width: int
) -> None:
    with threaded(session) as address:
        tab = Tab(browser, address, viewport={"width": width, "height": 800})
        page = tab.page
        tab.open() if where == "pair" else page.goto(f"{address}/as/ana/stretches")
        reader = Reader(page)
        reader.hear("New")
        if where == "draft":
            for field, text in zip(
                (
                    "Start of the new motif",
                    "End of the new motif",
                    "Start of the new recurrence",
                    "End of the new recurrence",
                ),
                ("1", "2", "9", "10"),
                strict=True,
            ):
                reader.type(field, text)
            reader.press("Hear the pair")
            reader.hear("Your pair")
        controls = reader.controls()
        names = [(node.role, node.name) for node in controls]
        assert [name for name in names if not re.search(r"[a-z]{3}", name[1])] == []
        assert len(set(names)) == len(names), "two controls cannot be told apart"
        assert all(node.value for node in controls if node.role == "slider")
        # Whatever can be clicked can be reached: nothing is a control for the eye alone.
        clickable = page.locator(
            "button:visible, a[href]:visible, input:visible, [role=slider]:visible, summary:visible"
        )
        assert clickable.count() == len(controls)
        page.context.close()
