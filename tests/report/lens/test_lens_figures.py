"""Figures of the page of layers, as the text that their SVG holds."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from leitmotif.report.lens.figures import divergence_figure, lenses_figure, recognition_figure
from leitmotif.report.lens.similarity import similarity_figure
from leitmotif.report.lens.sources import LensSources, read_lens
from tests.report.lens.made_lens import write_lens


def made(folder: Path, layers: int = 4) -> LensSources:
    read = read_lens("models/tiny", write_lens(folder, layers, kept=False))
    assert read is not None
    return read


@pytest.fixture
def sources(tmp_path: Path) -> LensSources:
    return made(tmp_path)


def texts(svg: str | None) -> list[str]:
    assert svg is not None
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_every_concept_of_a_slot_has_a_line_beside_chance(sources: LensSources) -> None:
    written = texts(recognition_figure(sources, "instrument"))
    assert {"guitar", "piano", "chance", "the layer plays alone"} <= set(written)
    assert "jazz" not in written


def test_a_way_that_nobody_heard_has_no_panels(sources: LensSources) -> None:
    read = [row for row in sources.recognition if row.heard == "read"]
    written = texts(recognition_figure(replace(sources, recognition=read), "instrument"))
    assert "the model plays" in written
    assert "the layer plays alone" not in written


def test_more_concepts_than_hues_have_lines_of_their_own(sources: LensSources) -> None:
    many = [
        row.model_copy(update={"slot": "mood", "concept": f"mood {number}"})
        for number in range(14)
        for row in sources.recognition
        if row.concept == "guitar"
    ]
    written = texts(recognition_figure(replace(sources, recognition=many), "mood"))
    assert {f"mood {number}" for number in range(14)} <= set(written)


def test_without_a_tuned_lens_there_is_none_to_compare(sources: LensSources) -> None:
    written = texts(lenses_figure(sources))
    assert {"tuned lens", "plain lens", "the layer plays alone", "the model plays"} <= set(written)
    plain = [row for row in sources.recognition if row.lens == "plain"]
    assert lenses_figure(replace(sources, recognition=plain)) is None


def test_divergence_has_a_line_for_each_codebook(sources: LensSources) -> None:
    written = texts(divergence_figure(sources))
    assert {f"codebook {number}" for number in range(4)} <= set(written)
    assert divergence_figure(replace(sources, divergence=[])) is None


def test_few_layers_have_their_numbers_on_both_sides_of_the_diagonal(sources: LensSources) -> None:
    written = texts(similarity_figure(sources))
    assert written.count("0.00") == 4
    assert written.count("37.5") == 2  # of layers 0 and 3
    assert written.count("0.81") == 2
    assert written.count("\N{EN DASH}") == 1  # the layer that says the same to all
    assert similarity_figure(replace(sources, similarity=[])) is None


def test_many_layers_have_colours_and_no_numbers(tmp_path: Path) -> None:
    sources = made(tmp_path, layers=48)
    svg = similarity_figure(sources)
    assert svg is not None
    assert "0.00" not in texts(svg)
    assert len(svg) < 400_000
    # Ticks are layers.
    for figure in (svg, recognition_figure(sources, "genre"), lenses_figure(sources)):
        ticks = [text for text in texts(figure) if text.isdigit()]
        assert ticks
        assert all(0 <= int(tick) <= 48 for tick in ticks)


def test_layers_that_are_all_the_same_can_be_drawn(sources: LensSources) -> None:
    same = [row.model_copy(update={"distance": 0.0}) for row in sources.similarity]
    assert texts(similarity_figure(replace(sources, similarity=same))).count("0.00") == 16
