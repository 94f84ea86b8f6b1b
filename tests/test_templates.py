"""The schemas in git and docs/templates.md are those of the code."""

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts" / "templates.py"


def test_schemas_and_page_are_those_of_the_code() -> None:
    spec = importlib.util.spec_from_file_location("templates", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root = SCRIPT.parents[1]
    old = [
        path.as_posix()
        for path, text in module.texts().items()
        if (root / path).read_text(encoding="utf-8") != text
    ]
    assert old == [], "run scripts/templates.py"
    written = {path.name for path in (root / "schemas").iterdir()}
    assert written == {path.name for path in module.texts() if path.suffix == ".json"}
