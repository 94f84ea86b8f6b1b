"""What axe-core finds wrong with a page: names, roles, contrast, headings, landmarks."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# Preloading would fetch style sheets, which no page opened from the file system may.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    """A line for each rule that the page breaks, with the elements that break it."""
    violated = Axe().run(page, options={"runOnly": RULES, "preload": False}).response["violations"]
    return [f"{rule['id']}: {[node['html'] for node in rule['nodes']]}" for rule in violated]
