"""The page as a screen reader has it: Chromium's accessibility tree, and the keyboard."""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

from tests.waiting import wait_until

CONTROLS = {"button", "link", "slider", "spinbutton", "checkbox", "textbox", "DisclosureTriangle"}
SPOKEN = """() => {
  window.spoken = { status: [], alert: [] };
  for (const region of document.querySelectorAll("[role=status], [role=alert]")) {
    const role = region.getAttribute("role");
    const note = () => region.textContent && spoken[role].push(region.textContent);
    note();
    new MutationObserver(note).observe(region, { childList: true, subtree: true });
  }
}"""
"""Keeps what live regions say, as they say it."""

LONGEST_WAY = 80
"""Presses of Tab from any control of the page to any other."""


@dataclass(frozen=True)
class Node:
    """What a screen reader says of one element."""

    role: str
    name: str
    value: str
    description: str
    focused: bool
    disabled: bool


class Reader:
    """Reads the tree of a page, and moves in it with Tab; looks at no element."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._session = page.context.new_cdp_session(page)
        self._session.send("Accessibility.enable")
        page.evaluate(SPOKEN)

    def nodes(self) -> list[Node]:
        """Return all that is in the tree, in its order."""
        answer = self._session.send("Accessibility.getFullAXTree")
        return [_node(node) for node in answer["nodes"] if not node.get("ignored")]

    def controls(self) -> list[Node]:
        return [node for node in self.nodes() if node.role in CONTROLS]

    def text(self) -> str:
        """Return all that can be read on the page."""
        return "\n".join(node.name for node in self.nodes() if node.role == "StaticText")

    def hear(self, text: str, role: str = "status") -> str:
        """Wait until the live regions of a role have said ``text``; returns what they said.

        All that was said after the last text counts, as nothing interrupts a polite region.
        """
        wait_until(lambda: text in self._said(role))
        said = self._said(role)
        rest = said[said.index(text) + len(text) :]
        self.page.evaluate("([role, rest]) => { spoken[role] = [rest]; }", [role, rest])
        return said

    def _said(self, role: str) -> str:
        return str(self.page.evaluate("(role) => spoken[role].join(' ')", role))

    def focused(self) -> Node:
        """Return what has the focus, without the rest of the tree: it is asked at each Tab."""
        focus = self._session.send("Runtime.evaluate", {"expression": "document.activeElement"})
        asked = {"objectId": focus["result"]["objectId"], "fetchRelatives": False}
        return _node(self._session.send("Accessibility.getPartialAXTree", asked)["nodes"][0])

    def go_to(self, role: str, name: str) -> Node:
        """Press Tab until a control has the focus whose name begins with ``name``."""
        for _ in range(LONGEST_WAY):
            node = self.focused()
            if node.role == role and node.name.startswith(name):
                return node
            self.page.keyboard.press("Tab")
        there = [(node.role, node.name) for node in self.controls()]
        raise AssertionError(f"Tab does not lead to {role} {name!r}; there are {there}")

    def press(self, name: str) -> None:
        """Press a button."""
        self.go_to("button", name)
        self.page.keyboard.press("Enter")

    def type(self, name: str, text: str) -> None:
        """Put a number into a field, and confirm it."""
        self.go_to("spinbutton", name)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Tab")

    def value(self, role: str, name: str) -> str:
        """Return the value of a control."""
        return next(n.value for n in self.nodes() if n.role == role and n.name.startswith(name))


def _node(node: dict[str, Any]) -> Node:
    properties = {item["name"]: item["value"].get("value") for item in node.get("properties", [])}
    value = node.get("value", {}).get("value", "")  # Chromium leaves the tree's valuetext empty
    return Node(
        role=_value(node, "role"),
        name=_value(node, "name"),
        value=f"{value:.2f}" if isinstance(value, float | int) else str(value),
        description=_value(node, "description"),
        focused=bool(properties.get("focused")),
        disabled=bool(properties.get("disabled")),
    )


def _value(node: dict[str, Any], key: str) -> str:
    return str(node.get(key, {}).get("value", ""))
