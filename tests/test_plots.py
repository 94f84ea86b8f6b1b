"""The plots' templates fit their data, and tell revisions apart for every eye."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
COLOURS = {
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#999999",
}  # fmt: skip
"""Okabe & Ito's, which can be told apart whatever colours an eye sees, and a grey."""


def plots() -> list[tuple[str, dict[str, Any]]]:
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    return [
        item
        for stage in stages.values()
        for plot in stage.get("plots", [])
        for item in plot.items()
    ]


PLOTS = plots()


def template(name: str) -> dict[str, Any]:
    return json.loads((ROOT / ".dvc" / "plots" / f"{name}.json").read_text(encoding="utf-8"))


def inside(value: Any) -> list[dict[str, Any]]:
    """Every object of a specification."""
    if isinstance(value, list):
        return [nested for item in value for nested in inside(item)]
    if isinstance(value, dict):
        return [value, *(nested for item in value.values() for nested in inside(item))]
    return []


@pytest.mark.parametrize(("path", "settings"), PLOTS, ids=[path for path, _ in PLOTS])
def test_every_field_of_a_template_is_a_column(path: str, settings: dict[str, Any]) -> None:
    with (ROOT / path).open(encoding="utf-8", newline="") as file:
        columns = set(next(csv.reader(file)))
    assert {settings["x"], settings["y"]} <= columns
    objects = inside(template(settings["template"]))
    made = {item["as"] for item in objects if "as" in item}
    fields = {item["field"] for item in objects if "field" in item}
    given = {"<DVC_METRIC_X>", "<DVC_METRIC_Y>", "rev"}
    assert fields - made - given <= columns
    assert "rev" in fields


@pytest.mark.parametrize("name", sorted({settings["template"] for _, settings in PLOTS}))
def test_colours_can_be_told_apart(name: str) -> None:
    scales = [
        item["color"]["scale"]
        for item in inside(template(name))
        if item.get("color", {}).get("type") == "nominal"
    ]
    assert all(set(scale["range"]) <= COLOURS for scale in scales)


def test_every_template_is_used() -> None:
    used = {settings["template"] for _, settings in PLOTS}
    assert used == {path.stem for path in (ROOT / ".dvc" / "plots").glob("*.json")}
