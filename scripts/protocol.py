#!/usr/bin/env python3
"""Write the checks into docs/protocol.md, and what `leitmotif check` says of a repository.

python scripts/protocol.py              # writes the table of checks
python scripts/protocol.py --example    # also checks the working directory, as the example
python scripts/protocol.py --check      # writes nothing; status 1 if the table is old
"""

import argparse
import inspect
import re
import sys
from pathlib import Path

from leitmotif.files import write_text
from leitmotif.share.protocol.inputs import Inputs
from leitmotif.share.protocol.output import as_text
from leitmotif.share.protocol.run import all_checks, run_checks

PAGE = Path(__file__).resolve().parents[1] / "docs" / "protocol.md"
MARKS = {
    "checks": "<!-- the registry of checks; scripts/protocol.py writes it -->\n",
    "example": "<!-- what `leitmotif check` prints; scripts/protocol.py --example writes it -->\n",
}
END = "<!-- end -->"


def table() -> str:
    """The checks as a table in Markdown."""
    rows = ["| line | passes where | how it is checked | of the article |", "|---|---|---|---|"]
    for check in all_checks().values():
        how = " ".join((inspect.getdoc(check.find) or "").split()).replace("``", "`")
        rows.append(f"| `{check.id}` | {check.title} | {how} | {check.item} |")
    return "\n".join(rows) + "\n"


def with_part(text: str, part: str, content: str) -> str:
    """A page with what is between a mark and the next end written anew."""
    pattern = re.escape(MARKS[part]) + ".*?" + re.escape(END)
    return re.sub(pattern, lambda _: MARKS[part] + content + END, text, flags=re.DOTALL)


def main() -> int:
    """Write or check; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--example", action="store_true", help="also check the working directory")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it is old")
    options = parser.parse_args()
    old = PAGE.read_text(encoding="utf-8")
    new = with_part(old, "checks", table())
    if options.check:
        if new != old:
            print("docs/protocol.md is old: run scripts/protocol.py", file=sys.stderr)
        return int(new != old)
    if options.example:
        found = "\n".join(as_text(run_checks(Inputs(replay=3))))
        new = with_part(new, "example", f"```text\n{found}\n```\n")
    write_text(PAGE, new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
