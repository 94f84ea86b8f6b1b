"""What ``leitmotif check`` found on the new revision, as a section."""

from pathlib import Path
from typing import Any

from leitmotif.errors import LeitmotifError, counted
from leitmotif.files import read_json
from leitmotif.share.compare.document import Cell, Data, Row, Section, Strong, TableBlock

_FORMAT = "leitmotif-check/"
_TITLE = "Protocol"
_REMAKE = "leitmotif check --json FILE writes it"


def protocol(path: Path | None) -> Section:
    """The lines that fail, and how many pass; an empty section without a file.

    Parameters
    ----------
    path: what ``leitmotif check --json`` wrote.

    Raises LeitmotifError for a file of another form.
    """
    if path is None:
        return Section(_TITLE)
    checked = read_json(path, fix=_REMAKE)
    try:
        if not checked["format"].startswith(_FORMAT):
            raise ValueError(f"format {checked['format']}")
        lines = [_line(line) for line in checked["lines"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LeitmotifError(
            f"{path} is no result of leitmotif check",
            found=f"{type(error).__name__}: {error}",
            expected=f"{_FORMAT}… with lines",
            fix=_REMAKE,
        ) from error
    failed = [row for status, row in lines if status == "fail"]
    passed = sum(status == "pass" for status, _ in lines)
    counts: Cell = (
        Strong(f"{counted(len(failed), 'line')} failed"),
        f", {passed:,} passed, {len(lines) - passed - len(failed):,} not applicable.",
    )
    tables = [TableBlock(("lines",), ("check", "found", "what mends it"), failed)] if failed else []
    return Section(_TITLE, [counts], tables)


def _line(line: Any) -> tuple[str, Row]:
    cells: list[Cell] = [(Data(line[key] or ""),) for key in ("title", "evidence")]
    return str(line["status"]), Row([*cells, (Data(line["fix"]),) if line["fix"] else ()], 0)
