#!/usr/bin/env python3
"""Write the table in docs/publishing.md from artifacts.yaml."""

from pathlib import Path

from leitmotif.files import write_text
from leitmotif.share.publish.routing import ROUTING, as_table, load_routing

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "publishing.md"
BEGIN, END = "<!-- written by scripts/artifacts.py -->\n\n", "\n\n<!-- end -->"

page = PAGE.read_text(encoding="utf-8")
before, rest = page.split(BEGIN)
_, after = rest.split(END)
write_text(PAGE, f"{before}{BEGIN}{as_table(load_routing(ROOT / ROUTING))}{END}{after}")
