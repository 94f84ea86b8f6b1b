"""A tab of the page, for the tests that drive it in a real Chromium."""

from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from leitmotif.review.log import read_log
from leitmotif.review.material import ReviewSources
from leitmotif.tables.decisions import Decision, Listening
from tests.waiting import wait_until

KEYS = {"p": "positive", "n": "negative", "a": "ambiguous", "r": "rejected"}
LOUDEST = """() => {
  const heard = new Float32Array(2048);
  review.player.analyser.getFloatTimeDomainData(heard);
  return Math.max(...heard.map(Math.abs));
}"""


class Tab:
    """A tab that notes every request and everything that goes wrong in it."""

    def __init__(
        self,
        browser: Browser,
        address: str,
        reviewer: str = "ana",
        *,
        queue: str = "review",
        **options: Any,
    ) -> None:
        self.page: Page = browser.new_context(**options).new_page()
        self.page.set_default_timeout(120_000)
        self.address = f"{address}/as/{reviewer}/{queue}"
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
        expect(self.page.locator("#item, #stretch, #message").filter(visible=True)).to_be_visible()
        return self.page

    def pair(self) -> str:
        return str(self.page.evaluate("review.current.pair"))

    def press(self, key: str) -> None:
        """Press a verdict's key, and wait until the next item, or the end, is shown."""
        before = self.pair()
        self.page.keyboard.press(key)
        wait_until(lambda: self.page.evaluate("review.current?.pair") != before)


def listenings(sources: ReviewSources, reviewer: str = "ana") -> list[Listening]:
    entries = read_log(sources.decisions / f"{reviewer}.jsonl").entries
    return [entry for entry in entries if isinstance(entry, Listening)]


def decisions(sources: ReviewSources, reviewer: str = "ana") -> list[Decision]:
    entries = read_log(sources.decisions / f"{reviewer}.jsonl").entries
    return [entry for entry in entries if isinstance(entry, Decision)]


def heard_playing(page: Page) -> None:
    """Wait until the clock runs and what goes to the loudspeakers is not silent."""
    start = page.evaluate("review.player.context.currentTime")
    wait_until(lambda: page.evaluate("review.player.context.currentTime") > start + 0.05)
    wait_until(lambda: page.evaluate(LOUDEST) > 0.05)
