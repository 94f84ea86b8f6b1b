"""Figures of the page of swaps, as the text that their SVG holds."""

import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from leitmotif.report.swaps.figures import layers_figure, parts_figure, trade_figure
from leitmotif.report.swaps.sources import SwapSources, read_swaps
from tests.report.swaps.made_swaps import write_swaps


def made(folder: Path, layers: int = 4, *, controls: bool = True) -> SwapSources:
    write_swaps(folder, layers, kept=False, controls=controls)
    read = read_swaps("models/tiny", folder)
    assert read is not None
    return read


@pytest.fixture
def sources(tmp_path: Path) -> SwapSources:
    return made(tmp_path)


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_each_component_and_technique_is_drawn_beside_controls(sources: SwapSources) -> None:
    written = set(texts(layers_figure(sources)))
    assert {"replace", "adjust", "effect, nats", "precision, nats", "ideal precision"} <= written
    assert {"self-attention", "MLP", "residual stream", "strongest control"} <= written
    assert "cross-attention" not in written


def test_without_controls_none_are_drawn(tmp_path: Path) -> None:
    without = texts(layers_figure(made(tmp_path, controls=False)))
    assert "strongest control" not in without
    assert "MLP" in without


@pytest.mark.parametrize(
    ("layers", "depths"), [(4, {"first", "intermediate", "last"}), (2, {"first", "last"})]
)
def test_depths_that_a_model_has_are_marked(tmp_path: Path, layers: int, depths: set[str]) -> None:
    written = texts(trade_figure(made(tmp_path, layers)))
    assert {"first", "intermediate", "last"} & set(written) == depths
    assert "effect, nats" in written


def test_parts_are_told_apart_by_slots_if_there_are_several(sources: SwapSources) -> None:
    written = texts(parts_figure(sources))
    assert {"original falls", "desired rises", "both", "replace", "adjust"} <= set(written)
    kinds = [*product(("instrument", "genre"), repeat=2)]
    more = [
        row.model_copy(update={"scope": "slots", "original_slot": one, "desired_slot": other})
        for one, other in kinds
        for row in sources.summary
    ]
    apart = set(texts(parts_figure(replace(sources, summary=[*sources.summary, *more]))))
    assert {f"{one} \N{RIGHTWARDS ARROW} {other}" for one, other in kinds} <= apart
    single = replace(sources, summary=[*sources.summary, *more[: len(sources.summary)]])
    assert texts(parts_figure(single)) == written


def test_many_layers_have_ticks_that_are_layers(tmp_path: Path) -> None:
    svg = layers_figure(made(tmp_path, layers=48))
    assert len(svg) < 400_000
    assert {"0", "48"} <= set(texts(svg))
