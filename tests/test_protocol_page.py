"""docs/protocol.md has every check as the code has it, and an example of its output."""

import importlib
import re
from pathlib import Path

import protocol

from leitmotif.share.protocol.run import all_checks

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")


def test_the_table_of_checks_is_that_of_the_code() -> None:
    assert protocol.with_part(PAGE, "checks", protocol.table()) == PAGE, "run scripts/protocol.py"


def test_the_example_has_every_line_in_its_form() -> None:
    (example,) = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
    heads = re.findall(r"^([✓✗·]) (\S+) +(\S.*)$", example, flags=re.MULTILINE)
    assert [(name, title) for _, name, title in heads] == [
        (check.id, check.title) for check in all_checks().values()
    ]
    assert {mark for mark, _, _ in heads} == {"✓"}  # it shows what a fresh reproduction gives
    last = example.splitlines()[-1]
    assert re.fullmatch(r"Protocol at commit [0-9a-f]{10}: (\d+) pass, 0 fail", last)
    assert int(re.findall(r": (\d+) pass", last)[0]) == len(heads)


def test_the_code_of_the_page_names_what_there_is() -> None:
    names = re.findall(r"^from (\S+) import (\w+)$", PAGE, flags=re.MULTILINE)
    assert len(names) == 3
    for module, name in names:
        assert hasattr(importlib.import_module(module), name)
