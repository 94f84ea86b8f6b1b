"""The protocol as text for a terminal, and as Markdown for a pull request."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from leitmotif.errors import LeitmotifError, counted
from leitmotif.files import read_text
from leitmotif.files.targets import json_object
from leitmotif.share.protocol.lines import FORMAT, Protocol, ProtocolLine, Status

MARKS: dict[Status, str] = {"pass": "✓", "fail": "✗", "not applicable": "·"}
_WIDTH = 100


def as_text(protocol: Protocol) -> list[str]:
    """Lines of text; what mends a failure stands below it."""
    width = max(len(line.id) for line in protocol.lines)
    lines = []
    for line in protocol.lines:
        lines.append(f"{MARKS[line.status]} {line.id:<{width}}  {line.title}")
        details = [line.evidence] + ([f"to do: {line.fix}"] if line.fix else [])
        indent = " " * (width + 4)
        for detail in details:
            lines += textwrap.wrap(
                detail,
                _WIDTH,
                initial_indent=indent,
                subsequent_indent=indent,
                break_on_hyphens=False,
            )
    return [*lines, "", summary(protocol)]


def as_markdown(protocol: Protocol) -> list[str]:
    """Lines of Markdown: a sentence, failures as a table, and all lines folded away below it."""
    lines = [f"**{summary(protocol)}**", ""]
    if protocol.failed:
        lines += [*_table(protocol.failed, fixes=True), ""]
    others = [line for line in protocol.lines if line.status != "fail"]
    if others:
        lines += [
            f"<details><summary>{counted(len(others), 'other line')}</summary>",
            "",
            *_table(others, fixes=False),
            "",
            "</details>",
        ]
    return lines


def summary(protocol: Protocol) -> str:
    """Such as ``24 pass, 1 fails, 2 not applicable (commit 0123456789)``."""
    passing, failing = protocol.count("pass"), protocol.count("fail")
    parts = [f"{passing} pass", f"{failing} {'fails' if failing == 1 else 'fail'}"]
    if skipped := protocol.count("not applicable"):
        parts.append(f"{skipped} not applicable")
    commit = f" at commit {protocol.commit[:10]}" if protocol.commit else ""
    return f"Protocol{commit}: {', '.join(parts)}"


def is_json(path: Path) -> bool:
    """Whether a file is a protocol as JSON, which may be written over."""
    return json_object(path).get("format") == FORMAT


def is_markdown(path: Path) -> bool:
    """Whether a file is a protocol as Markdown."""
    try:
        return read_text(path).startswith("**Protocol")
    except LeitmotifError:
        return False


def _table(lines: Sequence[ProtocolLine], *, fixes: bool) -> list[str]:
    heading = ["", "check", "found", *(["to do"] if fixes else [])]
    rows = [
        [MARKS[line.status], line.title, line.evidence, *([line.fix or ""] if fixes else [])]
        for line in lines
    ]
    return [_row(heading), _row(["---"] * len(heading)), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    escaped = (
        cell.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("@", "@\u2060")
        for cell in cells
    )
    return f"| {' | '.join(escaped)} |"
