"""Every number of every page leads to its file and key, or is a stated exception."""

import json
import re
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from leitmotif.config import load_params
from leitmotif.files import write_table
from leitmotif.report.words import MINUS
from leitmotif.stages.report import report
from leitmotif.tables.corpus import Exclusion
from leitmotif.tables.effects import PossibleRow
from leitmotif.tables.keys import field_of
from tests.report.made import Made, page_data
from tests.report.made_all import write_all
from tests.report.made_tracks import write_corpus

SILENT = {"script", "style", "svg", "code", "kbd", "title", "option"}
"""What is not text of a page, or names a file; figures say from which file they are drawn."""
VOID = {"meta", "link", "input", "img", "br"}
N = r"[\d.e\N{MINUS SIGN}+-]+"
EXCEPTIONS = {
    "names and places": (
        r"layers\.\d\.residual",
        r".*\w-\d(:\d+)?( features)?",  # autoencoders and their features
        r"\d features? of \w+-\d",
        r"(at|Largest effect of a whole site, all of) layers\.\d\.residual[.:]",
        r"(.* )?(layer|codebook|piece_|track_)\s?\d,?",
        r"[\d, ]+",  # the features of a subject
        r".*\balert\(1\).*",  # the name in the tests that is markup
        r"CC BY \d\.0",
        r"control: .*",
    ),
    "what is set, not measured": (
        rf".*(more than {N} seconds later|for returns {N} to {N} s ahead).*",
        rf"usable at {N}s",
        r"\d folds need \d.*",
        r"no effect can count below \d",
        r"\w+, \d beyond manifest\.tracks \d+",
        rf"scaled by {N} .*",
    ),
    "sentences repeat numbers that are beside them or on the subject's own page": (r"(It|No) .*",),
    "what could have been shown, of the same row as the number before it": (
        rf"\. None of less than {N} could have been\.",
        r"\. With so few tracks it would have to exceed 1, and it cannot\.",
    ),
    "counts of what the page shows": (r"\d+ pairs?", r"\d pairs of the report are not here: .*"),
    "reasons of a step, with the file that they are from": (r"\d files? could not be used \(.*\)",),
    "parts of a recording, of the row that its length leads to": (
        rf": {N} of",
        rf"s searched, {N} % not",
        rf".*{N} % of the sound was not searched: .*",
    ),
    "a whole map's number stands linked before it": (r"(replace|adjust), .*, all layers: .*",),
}
"""Why numbers have no link, and the whole texts of which that is true."""
OF_TABLES = {
    "effect",
    "p",
    "q",
    "p of shifts",
    "stability",
    "rank",
    "points",
    "over random",
    "CLAP",
}
"""Columns of the feature pages that are not measured while these are written."""


PARTS = re.compile(r"[.,:;]\s|\(|\s(?=From$)")
"""Where a text of a template is parted, so that names in it do not matter."""


class Numbers(HTMLParser):
    """The places that the numbers of a page are from, and the texts with numbers without one."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.placed: list[tuple[str | None, dict[str, Any], str]] = []
        self.bare: list[tuple[str, str]] = []
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if not text or any(tag in SILENT for tag, _ in self.open):
            return
        for _, attrs in self.open:
            if source := attrs.get("data-source"):
                anchor = (attrs.get("href") or "").partition("#")[2] or None
                self.placed.append((anchor, json.loads(source), text))
                return
        if re.search(r"\d", text):
            column = next(
                (attrs["data-label"] for _, attrs in self.open if "data-label" in attrs), ""
            )
            self.bare.append((column or "", text))


def value_of(root: Path, place: dict[str, Any]) -> Any:
    """What is written at a place, summed if several rows have it; without a field the rows."""
    path = root / place["file"]
    text = path.read_text(encoding="utf-8")
    rows: list[Any] = (
        [json.loads(text)]
        if path.suffix == ".json"
        else [json.loads(line) for line in text.splitlines() if line]
    )
    rows = [
        row
        for row in rows
        if all(str(field_of(row, name)) == said for name, said in place["row"].items())
    ]
    if not place["field"]:
        return rows
    values = []
    for row in rows:
        value = row
        for name in place["field"].split("."):
            value = value[name]
        values.append(value)
    assert values, place
    return values[0] if len(values) == 1 else sum(values)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """A study with its report, which has every kind of page."""
    made = Made(tmp_path_factory.mktemp("numbers") / "study")
    might = PossibleRow(gaining=3, losing=2, level=0.01, least=40.5, likely=62.5)
    made.verdicts = [row.model_copy(update={"possible": might}) for row in made.verdicts]
    write_all(made, repo_root)
    left_out = [
        Exclusion(track_id=f"piece_{number}", reason=reason, detail="")
        for number, reason in enumerate(["too_short", "too_short", "no_licence"], start=3)
    ]
    write_table(made.root / "data/excluded.jsonl", left_out)
    write_corpus(made.root / "data", 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.root)
        report(load_params())
    return made.root


def pages(root: Path) -> dict[str, Path]:
    folder = root / "data/report"
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.html")}


def test_each_number_leads_to_the_file_and_key_that_it_is_from(whole: Path) -> None:
    index = pages(whole)["index.html"].read_text(encoding="utf-8")
    ids = re.findall(r'<div id="([^"]+)"', index)
    seen: dict[str, set[str]] = {}
    for name, path in pages(whole).items():
        for anchor, place, said in Numbers(path).placed:
            assert anchor in (place["file"], None)
            assert place["file"] in ids, "the file is among the sources"
            value = value_of(whole, place)
            if place["field"] == "possible":
                pieces = value["gaining"] + value["losing"]
                stated = set(re.findall(r"\d+(?:\.\d+)?(?![\d.]* %)", said))
                assert stated <= {f"{number:g}" for number in (pieces, *value.values()) if number}
            elif place["row"] and not place["field"]:
                assert said.split()[0] == str(len(value)), (name, place)
            elif place["field"] and (number := re.search(r"[\N{MINUS SIGN}+]?\d[\d.]*", said)):
                mean = value["mean"] if isinstance(value, dict) else value
                scale = 100 if said.endswith("%") or place["field"] == "alpha" else 1
                shown = float(number[0].replace(MINUS, "-"))
                assert shown == pytest.approx(scale * mean, abs=0.051), (name, place)
            seen.setdefault(name.partition("/")[0], set()).add(place["file"])
    assert seen["index.html"] >= {
        "data/verdicts.jsonl",
        "data/effects.jsonl",
        "data/approaches.jsonl",
        "data/horizons.jsonl",
        "data/excluded.jsonl",
        "data/labels.jsonl",
        "data/corpus/tracks.jsonl",
        "data/openings.jsonl",
    }
    assert seen["features"] == {"data/candidates.jsonl", "data/verdicts.jsonl"}
    assert seen["pairs"] == {"data/effects.jsonl", "data/verdicts.jsonl"}
    assert seen["lens.html"] == {
        "data/decoderlens.jsonl",
        "data/lens/clips.jsonl",
        "data/lens_divergence.jsonl",
        "data/layer_similarity.jsonl",
    }
    assert seen["swaps.html"] == {"data/swap_summary.jsonl"}


def is_prose(text: str, templates: str) -> bool:
    """Whether each part of a text that has a number stands so in the templates, with words."""
    parts = [part for part in PARTS.split(text) if re.search(r"\d", part)]
    return all(re.search("[A-Za-z]{2}", part) and part in templates for part in parts)


def test_a_number_without_a_place_is_a_stated_exception(whole: Path) -> None:
    templates = files("leitmotif.report") / "page"
    written = [
        path.read_text(encoding="utf-8")
        for path in templates.iterdir()
        if path.name.endswith(".html")
    ]
    # What stands under the first page's figures.
    captions = (files("leitmotif.report") / "overview.py").read_text(encoding="utf-8")
    written.append(re.sub(r'"\s+"', "", captions))
    prose = " ".join(re.sub(r"{%.*?%}|<[^>]*>", " ", " ".join(written)).split())
    excused = re.compile("|".join(rule for rules in EXCEPTIONS.values() for rule in rules))
    strange = [
        (name, text)
        for name, path in pages(whole).items()
        for column, text in Numbers(path).bare
        if (
            column in OF_TABLES
            if name.startswith("features/")
            else not (is_prose(text, prose) or excused.fullmatch(text))
        )
    ]
    assert not strange, "\n".join(map(str, strange))


def test_the_feature_pages_say_which_numbers_they_measure(whole: Path) -> None:
    for name, path in pages(whole).items():
        if name.startswith("features/"):
            assert "measured while" in path.read_text(encoding="utf-8"), name


def test_what_scripts_show_has_its_places_beside_it(whole: Path) -> None:
    told = [
        pair for name in pages(whole) if "pairs/" in name for pair in page_data(pages(whole)[name])
    ]
    assert told
    for pair in told:
        for side, source in zip(("before", "after"), pair["sources"], strict=True):
            place = {**json.loads(source["address"]), "field": "audio_sha256"}
            assert value_of(whole, place) == pair[side]["sha256"]
    cells = re.findall(
        r'data-clips="([^"]+)"', pages(whole)["swaps.html"].read_text(encoding="utf-8")
    )
    assert cells
    for clips in cells:
        for _, said, sources in json.loads(unescape(clips)).values():
            for source in sources:
                value = value_of(whole, json.loads(source["address"]))
                mean = value["mean"] if isinstance(value, dict) else value
                assert f" {mean:+.2f}".replace("-", MINUS) in said
