"""What is heard of a recording with several windows: the seconds that were asked for."""

from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Page

from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.files import read_table, sha256_file, write_table
from leitmotif.review import stretches as stretches_module
from leitmotif.review.material import ReviewSources
from leitmotif.review.session import Session
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.tables.proposals import read_proposals, write_proposals
from tests.review.conftest import Build
from tests.review.serving import threaded
from tests.review.tabs import Tab, decisions
from tests.waiting import wait_until

SECONDS = 40
WINDOWS = [
    Window(start_frame=0, frames=10 * 50),
    Window(start_frame=12 * 50, frames=10 * 50),
    Window(start_frame=25 * 50, frames=15 * 50),
]
"""0 to 10 s, 12 to 22 s and 25 to 40 s."""
LONGEST = 20.0
"""Of the sound of a stretch, here, in seconds: the last one's sound does not begin at 0."""


def whole(sources: ReviewSources) -> np.ndarray:
    """The recording as it is heard, [samples]."""
    (path,) = (sources.corpus / "audio").iterdir()
    return np.asarray(soundfile.read(path, dtype="int16")[0] / 32768)


def second_of(clip: float) -> Span:
    return Span(start_sample=round(clip * SAMPLE_RATE), samples=SAMPLE_RATE)


@pytest.fixture
def session(build: Build, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session on noise, of which no two seconds are alike, with a pair in each later window."""
    monkeypatch.setattr(stretches_module, "LONGEST_SOUND_SECONDS", LONGEST)
    sources = build(tracks=1, proposals=3, seconds=SECONDS, windows=WINDOWS)
    (path,) = (sources.corpus / "audio").iterdir()
    noise = np.random.default_rng(1).normal(scale=0.1, size=SECONDS * SAMPLE_RATE)
    soundfile.write(path, noise, SAMPLE_RATE, subtype="PCM_16")
    (row,) = read_table(sources.manifest, ManifestTrack)
    write_table(sources.manifest, [row.model_copy(update={"sha256": sha256_file(path)})])
    places = [(13.0, 18.5), (26.0, 35.25), (2.0, 30.0)]
    changed = [
        proposal.model_copy(update={"motif": second_of(motif), "recurrence": second_of(later)})
        for proposal, (motif, later) in zip(read_proposals(sources.proposals), places, strict=True)
    ]
    write_proposals(sources.proposals, changed)
    session = Session(sources)
    yield session
    session.index.close()


def played(page: Page, first: float, seconds: float) -> np.ndarray:
    """What the player's sound holds from a second on, [samples]."""
    values = page.evaluate(
        """([first, count]) => Array.from(
          review.player.buffers[0].getChannelData(0).subarray(first, first + count))""",
        [round(first * SAMPLE_RATE), round(seconds * SAMPLE_RATE)],
    )
    return np.asarray(values)


HELD = """(name) => {
  const { buffers, clips, windows } = review.current;
  const first = windows[name].start_sample - clips[name].start_sample;
  return Array.from(buffers[name].getChannelData(0).subarray(first, first + windows[name].samples));
}"""
"""What the page plays of a window; ``test_page_sound`` tests that it does."""


def test_pairs_of_later_windows_have_the_sound_of_their_seconds(
    browser: Browser, session: Session
) -> None:
    sound, asked = whole(session.sources), []
    with threaded(session) as address:
        tab = Tab(browser, address)
        page = tab.open()
        for _ in range(3):
            wait_until(lambda: page.evaluate("Boolean(review.current.buffers)"))
            windows = page.evaluate("review.current.windows")
            for name in ("motif", "recurrence"):
                start = windows[name]["start_sample"]
                expected = sound[start : start + SAMPLE_RATE]
                np.testing.assert_allclose(page.evaluate(HELD, name), expected, atol=2e-4)
            asked.append(windows["motif"]["start_sample"] / SAMPLE_RATE)
            tab.press("p")
        assert sorted(asked) == [2.0, 13.0, 26.0]
        tab.page.context.close()
    assert tab.errors == []
    hashes = {row.motif.start_sample: row.motif.sha256 for row in decisions(session.sources)}
    assert len(set(hashes.values())) == 3


def test_stretches_of_later_windows_play_from_their_start(
    browser: Browser, session: Session
) -> None:
    sound, places = whole(session.sources), []
    with threaded(session) as address:
        tab = Tab(browser, address, queue="stretches")
        page = tab.open()
        for _ in WINDOWS:
            start = page.evaluate("review.current.stretch.start_sample")
            position = page.evaluate("review.player.position")
            expected = sound[start : start + SAMPLE_RATE]
            np.testing.assert_allclose(played(page, position, 1.0), expected, atol=2e-4)
            page.keyboard.press("i")
            page.keyboard.press("1")
            marked = float(page.locator("#mark-motif-start").input_value())
            assert marked == pytest.approx(start / SAMPLE_RATE, abs=0.001)
            places.append(start / SAMPLE_RATE)
            tab.press("n")
        assert places == [0.0, 12.0, 25.0]
        tab.page.context.close()
    assert tab.errors == []
