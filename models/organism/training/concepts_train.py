"""Train the model of the concept clips: ``python -m training.concepts_train``."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import EncodecModel

from training import CONCEPT_WORLD, CONCEPTS, FOLDER, WORK
from training.codec import load_codec, save_codec
from training.concept_world import ConceptWorld, load_concept_world
from training.concepts import Clip, Concepts, compose_clip, every_concepts
from training.concepts_codec import BOOKS, build_concept_codec
from training.concepts_tokens import ClipTable
from training.loop import Run, Schedule, finish
from training.network import (
    Written,
    build_model,
    build_tokenizer,
    delayed,
    encode_prompts,
    logits_of,
    residuals_of,
    save_model,
)


@dataclass(frozen=True)
class ConceptRecipe:
    """The numbers that decide how the model is trained."""

    schedule: Schedule
    short_steps: int
    """Steps on the clips' first ``SHORT_FRAMES`` alone: more prompts a step, and little before a
    frame that would tell what the prompt does."""
    seed: int = 0
    columns_per_step: int = 3000
    unprompted: float = 0.2
    """Share of clips read without their prompt, which guidance needs."""
    corruption: float = 0.02
    """Share of input codes that are replaced at random, as sampling errs now and then."""


RECIPE = ConceptRecipe(Schedule(steps=1600, restart=900), short_steps=300)
SHORT_FRAMES = 50
OPENING_FRAMES, WEIGHT_OPENING = 10, 4.0
"""Frames from the start whose codes weigh more: only the prompt tells what they are."""


class ConceptRun(Run):
    """The run of one recipe; the same recipe on the same machine gives the same weights."""

    def __init__(self, world: ConceptWorld, codec: EncodecModel, recipe: ConceptRecipe) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self._world = recipe, world
        prompts = [concepts.prompt for concepts in every_concepts(world)]
        self.tokenizer = build_tokenizer(prompts)
        super().__init__(build_model(codec, self.tokenizer).train(), recipe.schedule)
        self._pad = codec.config.codebook_size
        self._table = ClipTable(world, codec)
        read = self.tokenizer(prompts, padding=True, return_tensors="pt")
        self._prompts, self._mask = read["input_ids"], read["attention_mask"].bool()
        self._which = {text: number for number, text in enumerate(prompts)}

    def losses(self) -> tuple[Tensor, dict[str, float]]:
        """The weighted loss over new clips, and their mean nats a code."""
        batch = self.batch()
        loss, nats = self.loss(batch, [clip.concepts for clip in batch.clips])
        return loss, {"loss": nats}

    def batch(self) -> "Batch":
        """The clips of this step, and how they are read."""
        recipe = self.recipe
        frames = SHORT_FRAMES if self.step < recipe.short_steps else self._world.frames
        columns = torch.arange(frames + len(BOOKS) - 1)
        count = recipe.columns_per_step // len(columns)
        clips = [
            compose_clip(self._world, recipe.seed, 1000 * self.step + row) for row in range(count)
        ]
        random = torch.Generator().manual_seed(10_000 * recipe.seed + self.step)
        prompted = torch.rand(count, generator=random) >= recipe.unprompted
        tokens = delayed(self._table(clips)[:, :, :frames], self._pad)
        read, targets = tokens[:, :, :-1], tokens[:, :, 1:]
        hit = torch.rand(read.shape, generator=random) < recipe.corruption
        wrong = torch.randint(self._pad, read.shape, generator=random)
        read = torch.where(hit & (read != self._pad), wrong, read)
        return Batch(clips, prompted, columns, read, targets)

    def loss(
        self, batch: "Batch", asked: Sequence[Concepts], written: Written | None = None
    ) -> tuple[Tensor, float]:
        """The weighted loss over a batch, and its mean nats a code.

        ``asked`` has the concepts of each row's prompt; ``written`` changes what MLPs write.
        """
        which = torch.tensor([self._which[concepts.prompt] for concepts in asked])
        text = encode_prompts(self.model, self._prompts, which, batch.prompted, self._mask)
        residuals = residuals_of(
            self.model,
            batch.read,
            batch.columns,
            text,
            text_mask=self._mask[which],
            written=written,
        )
        nats = F.cross_entropy(
            logits_of(self.model, residuals[-1]).flatten(0, 2),
            batch.targets.masked_fill(batch.targets == self._pad, -100).flatten(),
            reduction="none",
        ).view(batch.targets.shape)
        weight = torch.where(batch.columns < OPENING_FRAMES, WEIGHT_OPENING, 1.0)
        return (nats * weight).mean() / weight.mean(), nats.detach().mean().item()


@dataclass(frozen=True)
class Batch:
    """B clips of S columns."""

    clips: Sequence[Clip]
    prompted: Tensor
    """(B,), false for those that are read without their prompt."""
    columns: Tensor
    """(S,)"""
    read: Tensor
    """Tokens (B, K, S) that the columns read, some of them replaced."""
    targets: Tensor
    """Tokens (B, K, S) that they are to predict."""


def train(recipe: ConceptRecipe) -> None:
    """Compute the codec, train the model on it, and write both to the shipped folder."""
    world = load_concept_world(CONCEPT_WORLD)
    run = ConceptRun(world, _codec(world, WORK / "concepts.codec"), recipe)
    finish(run, WORK / "concepts.safetensors", FOLDER / "curves" / "concepts.csv")
    save_model(run.model.eval(), run.tokenizer, CONCEPTS)


def _codec(world: ConceptWorld, folder: Path) -> EncodecModel:
    """The codec of this run, kept in the work folder so that a resumed run has the same."""
    if not (folder / "config.json").exists():
        save_codec(build_concept_codec(world), folder)
    return load_codec(folder)


def main() -> None:
    """Train the model in models/organism/concepts."""
    argparse.ArgumentParser(description=main.__doc__).parse_args()
    torch.set_num_threads(1)
    train(RECIPE)


if __name__ == "__main__":
    main()
