#!/usr/bin/env python3
"""Write artifacts.schema.json and the table in docs/publishing.md from artifacts.yaml."""

from pathlib import Path

from leitmotif.files import write_json, write_text
from leitmotif.share.publish.routing import ROUTING, SCHEMA, as_table, json_schema, load_routing

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "publishing.md"
BEGIN, END = "<!-- written by scripts/artifacts.py -->\n\n", "\n\n<!-- end -->"

write_json(ROOT / SCHEMA, json_schema())
page = PAGE.read_text(encoding="utf-8")
before, rest = page.split(BEGIN)
_, after = rest.split(END)
write_text(PAGE, f"{before}{BEGIN}{as_table(load_routing(ROOT / ROUTING))}{END}{after}")
