"""Which clips of swaps are kept."""

from pathlib import Path

import pytest

from leitmotif.lens.concepts import ConceptTable, load_concepts
from leitmotif.lens.kept_swaps import KeptClip, kept_clips
from leitmotif.lens.pairs import concept_pairs, twin_pairs
from leitmotif.lens.sweep import SwapSweep, cells_of

CELLS = cells_of(["mlp", "residual"], range(3), together=True)


@pytest.fixture
def table(repo_root: Path) -> ConceptTable:
    return load_concepts(repo_root / "concepts.yaml")


def heard_with(clips: list[KeptClip]) -> list[tuple[str, str]]:
    return [
        (clip.pair.sides[0].concept, clip.pair.sides[1].concept)
        for clip in clips
        if clip.swap is None
    ]


def test_a_concept_is_heard_with_the_next_one_of_its_slot(table: ConceptTable) -> None:
    clips = kept_clips(SwapSweep(concept_pairs(table, 2), CELLS), 1)
    assert heard_with(clips) == [
        ("guitar", "piano"), ("piano", "trumpet"), ("trumpet", "violin"), ("violin", "guitar"),
        ("classical", "jazz"), ("jazz", "pop"), ("pop", "rock"), ("rock", "EDM"),
        ("EDM", "hip hop"), ("hip hop", "classical"),
    ]  # fmt: skip


def test_each_single_layer_is_kept_by_each_technique_and_no_control(table: ConceptTable) -> None:
    pairs = concept_pairs(table.only(["instrument"]), 2)
    clips = kept_clips(SwapSweep(pairs, CELLS), 2)
    assert len(clips) == 4 * 2 * (1 + 2 * 2 * 3)
    swaps = {clip.swap for clip in clips if clip.swap is not None}
    assert all(len(swap.cell.layers) == 1 and not swap.random for swap in swaps)
    assert {swap.target for swap in swaps} == {"guitar", "piano", "trumpet", "violin"}
    assert kept_clips(SwapSweep(pairs, CELLS), 9) == clips
    assert kept_clips(SwapSweep(pairs, CELLS), 0) == []


def test_without_another_concept_of_the_slot_it_is_one_of_another(table: ConceptTable) -> None:
    concepts = [one for one in table.concepts if one.name in ("guitar", "jazz", "pop")]
    few = table.model_copy(update={"concepts": concepts})
    clips = kept_clips(SwapSweep(concept_pairs(few, 1), CELLS), 1)
    assert heard_with(clips) == [("guitar", "jazz"), ("jazz", "pop"), ("pop", "jazz")]


def test_pairs_of_single_prompts_are_counted_by_prompt(table: ConceptTable) -> None:
    clips = kept_clips(SwapSweep(twin_pairs(table.only(["instrument"]), 3), CELLS), 2)
    first = [clip for clip in clips if clip.swap is None][:2]
    assert [(clip.pair.original, clip.number) for clip in first] == [
        ("guitar/0", 0),
        ("guitar/1", 0),
    ]
