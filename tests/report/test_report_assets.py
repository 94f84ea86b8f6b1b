"""One plain script and one style sheet, made of modules."""

import re

from leitmotif.report.assets import assets
from leitmotif.review.assets import page_files


def test_the_script_is_plain_and_keeps_the_modules_whole() -> None:
    script = assets()["report.js"].decode()
    assert not re.search(r"^\s*(import|export)\b", script, re.MULTILINE)
    shared = page_files()["drawing.js"].decode()
    assert "export function picture" in shared
    assert shared.split("export function picture")[1].split("\n}\n")[0] in script


def test_nothing_comes_from_elsewhere() -> None:
    for name, content in assets().items():
        addresses = set(re.findall(rb"https?://[^\"' )]+", content))
        assert addresses <= {b"http://www.w3.org/2000/svg"}, name


def test_colours_and_common_parts_are_those_of_the_review_page() -> None:
    assert page_files()["theme.css"] in assets()["report.css"]
