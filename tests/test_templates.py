"""The schemas in git and docs/templates.md are those of the code."""

from pathlib import Path

import templates

ROOT = Path(__file__).parents[1]


def test_schemas_and_page_are_those_of_the_code() -> None:
    old = [
        path.as_posix()
        for path, text in templates.texts().items()
        if (ROOT / path).read_text(encoding="utf-8") != text
    ]
    assert old == [], "run scripts/templates.py"
    written = {path.name for path in (ROOT / "schemas").iterdir()}
    assert written == {path.name for path in templates.texts() if path.suffix == ".json"}
