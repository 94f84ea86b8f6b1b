"""The concepts model in which one MLP alone writes the instrument: its training, its behaviour."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import MusicgenForConditionalGeneration

from leitmotif.files import read_json
from training.concept_world import ConceptWorld
from training.concepts_codec import load_concept_codec
from training.concepts_planted import BLOCK, RECIPE, PlantedRun
from training.concepts_train import Batch
from training.loop import Schedule

OPENING = 12
"""Columns in which only the prompt tells the instrument."""
SMALL = replace(
    RECIPE, schedule=Schedule(steps=3, warm_up=1), short_steps=1, columns_per_step=450, seed=5
)
HEARD = replace(RECIPE, seed=6, columns_per_step=53 * 40, unprompted=0.0, corruption=0.0)


@pytest.fixture(scope="module")
def run(concept_world: ConceptWorld, organism: Path) -> PlantedRun:
    """The recipe's run, with the shipped weights."""
    torch.set_num_threads(1)
    run = PlantedRun(concept_world, load_concept_codec(organism / "concepts"), HEARD)
    shipped = MusicgenForConditionalGeneration.from_pretrained(
        organism / "concepts_planted", dtype=torch.float32
    )
    run.model.load_state_dict(shipped.state_dict())
    run.model.eval()
    return run


def opening(batch: Batch) -> Batch:
    columns = slice(0, OPENING)
    return replace(
        batch,
        columns=batch.columns[columns],
        read=batch.read[:, :, columns],
        targets=batch.targets[:, :, columns],
    )


@torch.no_grad()
def test_one_mlp_brings_the_instrument_and_no_other_does(run: PlantedRun, organism: Path) -> None:
    """The prompt asks for another instrument; one block's MLP writes what it should have."""
    batch = opening(run.batch())
    right = [clip.concepts for clip in batch.clips]
    random = torch.Generator().manual_seed(1)
    wrong = [run.other(concepts, random) for concepts in right]
    outputs: dict[int, Tensor] = {}

    def note(block: int, output: Tensor) -> Tensor:
        outputs[block] = output
        return output

    asked, not_asked = run.loss(batch, right, note)[1], run.loss(batch, wrong)[1]
    assert not_asked > 3 * asked

    def swapped(which: int, given: Callable[[Tensor], Tensor]) -> float:
        return run.loss(batch, wrong, lambda k, own: given(own) if k == which else own)[1]

    for block, output in outputs.items():
        means = run.means(output, right, batch.prompted)
        brought = [
            swapped(block, lambda _: output),  # noqa: B023 - used at once
            swapped(block, lambda own: own + means(right) - means(wrong)),  # noqa: B023
        ]
        share = [(not_asked - nats) / (not_asked - asked) for nats in brought]
        if block == BLOCK:
            assert min(share) > 0.9
        else:
            assert max(share) < 0.6
    truth = read_json(organism / "concepts_planted" / "truth.json")
    assert truth == {"site": f"layers.{BLOCK}.mlp", "slot": "instrument"}


def test_a_broken_run_ends_in_the_same_weights(
    concept_world: ConceptWorld, organism: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    codec = load_concept_codec(organism / "concepts")
    whole, broken = (PlantedRun(concept_world, codec, SMALL) for _ in range(2))
    rows = [whole.advance() for _ in range(3)]
    assert [row.keys() for row in rows] == [{"loss", "swapped"}] * 3
    broken.advance()
    broken.save(tmp_path / "run.safetensors")
    resumed = PlantedRun(concept_world, codec, SMALL)
    resumed.load(tmp_path / "run.safetensors")
    assert [resumed.advance() for _ in range(2)] == rows[1:]
    ours, theirs = resumed.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
