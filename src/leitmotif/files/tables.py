"""The tables that stages exchange: JSON lines, each a typed row."""

import json
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from leitmotif.errors import LeitmotifError
from leitmotif.files.restoring import how_to_restore
from leitmotif.files.texts import parse_json, read_text
from leitmotif.files.writing import atomic

Row = TypeVar("Row", bound=BaseModel)


def write_table(path: Path, rows: Iterable[BaseModel]) -> int:
    """Write one JSON object a line, keys sorted; returns the number of rows.

    A table without rows is one empty line: of a file of no bytes DVC warns at every run.
    """
    count = 0
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for line in json_lines(rows, name=str(path)):
            file.write(line)
            count += line != "\n"
    return count


def json_lines(rows: Iterable[BaseModel], *, name: str) -> Iterator[str]:
    """The lines of a table of that name, as ``write_table`` writes them.

    Raises LeitmotifError for a row that holds NaN or infinity.
    """
    number = 0
    for number, row in enumerate(rows, 1):
        fields = row.model_dump(mode="json")
        try:
            line = json.dumps(fields, sort_keys=True, ensure_ascii=False, allow_nan=False)
        except ValueError as error:
            raise LeitmotifError(
                f"{name} was not written: row {number} holds what is not a number",
                found=fields,
                expected="finite numbers",
            ) from error
        yield line + "\n"
    if not number:
        yield "\n"


def read_table(path: Path, model: type[Row]) -> list[Row]:
    """Read JSON lines as ``model`` rows; an error names the file, the line and the field.

    So is a row that is there twice, or of the same as another by the model's ``KEY``: no stage
    writes such rows, so two files were joined, of two runs perhaps.
    """
    rows = []
    first: dict[str, int] = {}
    key: tuple[str, ...] = getattr(model, "KEY", ())
    text = read_text(path)
    # Not splitlines(): it also breaks at U+2028 and its like, which JSON strings may hold.
    lines = text.removesuffix("\n").split("\n") if text.strip("\n") else []
    for number, line in enumerate(lines, start=1):
        try:
            # Strict: a text such as "nan" is no number.
            rows.append(model.model_validate_json(line, strict=True))
            parse_json(line)
            same = repr(attrgetter(*key)(rows[-1])) if key else line
            if (before := first.setdefault(same, number)) < number:
                of = f" in {', '.join(key)}" if key else ""
                raise ValueError(f"it repeats line {before}{of}")
        except ValueError as error:
            raise LeitmotifError(
                f"{path}:{number} is not a {model.__name__}",
                found=line_problem(error),
                expected=f"an object with {', '.join(model.model_fields)}",
                fix=how_to_restore(),
            ) from error
    return rows


def line_problem(error: ValueError) -> str:
    """What is wrong with a line of JSON: the field and the rule, as pydantic found, or the text."""
    if not isinstance(error, ValidationError):
        return f"the line: {error}"
    problem = error.errors()[0]
    field = ".".join(str(part) for part in problem["loc"]) or "the line"
    return f"{field}: {problem['msg']}"
