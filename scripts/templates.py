#!/usr/bin/env python3
"""Write the JSON schemas in schemas/ and the page docs/templates.md from the code.

python scripts/templates.py            # writes them
python scripts/templates.py --check    # writes nothing; status 1 if one of them is old
"""

import argparse
import json
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from leitmotif.files import parse_json, write_text
from leitmotif.files.yaml_files import read_yaml
from leitmotif.share.protocol.schemas import annotated, schema_of
from leitmotif.share.protocol.templates import TEMPLATES, Template

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path("docs/templates.md")
EXAMPLES = ROOT / "docs" / "examples"
HEAD = """\
# Templates

An experiment is configured in YAML files and logged as JSON lines. Each kind of file has a JSON
schema in [schemas/](../schemas). Editors that know `yaml-language-server` read its name from the
first lines of a file, check what you type, and show what a key means. `leitmotif check` reads every
file and compares the schemas with the code ([the protocol](protocol.md)). `scripts/templates.py`
writes the schemas and this page from the docstrings of the code's fields.

| template | file | schema |
|---|---|---|
"""


def page(root: Path = ROOT) -> str:
    """The text of docs/templates.md."""
    rows = [
        f"| [{one.title}](#{one.title.lower().replace(' ', '-')}) | {_file(one)} | "
        f"[{one.schema.name}](../{one.schema.as_posix()}) |"
        for one in TEMPLATES
    ]
    parts = [HEAD + "\n".join(rows)]
    for one in TEMPLATES:
        about = textwrap.fill(one.about, 100, break_long_words=False, break_on_hyphens=False)
        parts.append(f"## {one.title}\n\n{about}\n\n{_example(one, root)}")
    return "\n\n".join(parts) + "\n"


def _file(template: Template) -> str:
    if template.path is None:
        return "written by a command"
    name = template.path.as_posix()
    return f"[{name}](../{name})" if template.is_yaml else f"`{name}`"


def _example(template: Template, root: Path) -> str:
    """The file itself, or its first entries, with what each key means above it."""
    if template.is_yaml:
        assert template.path is not None
        values, what = _shortened(read_yaml(root / template.path)), "The beginning of the file"
    else:
        values, what = _kept(template), "One of its lines, written as YAML for reading"
    if template.path is None:
        what = "A file of one line, written as YAML for reading"
    return f"{what}:\n\n```yaml\n{annotated(template.model(), values)}```"


def _shortened(values: Mapping[str, Any]) -> dict[str, Any]:
    """With the first entry alone of each list of entries."""
    return {
        key: value[:1] if isinstance(value, list) and isinstance(value[0], dict) else value
        for key, value in values.items()
    }


def _kept(template: Template) -> Mapping[str, Any]:
    values = parse_json((EXAMPLES / f"{template.name}.json").read_text(encoding="utf-8"))
    model: type[BaseModel] = template.model()
    model.model_validate(values)
    assert isinstance(values, dict)
    return values


def texts() -> dict[Path, str]:
    """Everything that this script writes, by path from the root."""
    schemas = {one.schema: schema_of(one.model()) for one in TEMPLATES}
    written = {
        path: json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for path, schema in schemas.items()
    }
    return {**written, PAGE: page()}


def main() -> int:
    """Write or check; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if a file is old")
    check, old = parser.parse_args().check, []
    for path, text in texts().items():
        if check and (not (ROOT / path).exists() or (ROOT / path).read_text("utf-8") != text):
            old.append(path)
        elif not check:
            write_text(ROOT / path, text)
    for path in old:
        print(f"{path} is old: run scripts/templates.py", file=sys.stderr)
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
