"""Training pieces, which columns of them are read, and how much each prediction counts."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from leitmotif.corpus.organism.composer import Score, compose
from leitmotif.corpus.organism.world import World
from training.network import delayed, prompts_of
from training.recipes import Recipe
from training.tokens import NoteTable

CODEBOOKS = 4
APPROACH = 8
"""Columns before a slot that are kept when filler is left out."""
WEIGHT_EARLY, WEIGHT_STATEMENT, WEIGHT_SLOT, WEIGHT_ONSET = 0.3, 2.0, 2.0, 8.0
ONSET_FRAMES = 4


@dataclass(frozen=True)
class Batch:
    """What one step reads: B pieces over S columns."""

    inputs: Tensor
    """(B, K, S) tokens."""
    targets: Tensor
    """(B, K, S) tokens that follow; ``pad`` where there is none."""
    which: Tensor
    """(B,) prompt of each row."""
    told: Tensor
    """(B,) whether the row is given its prompt."""
    decisions: Tensor
    """(B, slots) 1 where the motif returns."""


def all_columns(world: World) -> Tensor:
    """Every column of a whole piece."""
    return torch.arange(world.bars * world.frames_per_bar + CODEBOOKS - 1)


def columns_without_filler(world: World) -> Tensor:
    """The columns of statements, cue and slots, with a few before each slot."""
    bar, last = world.frames_per_bar, len(all_columns(world))
    kept = set(range((max(world.statement_bars) + 1) * bar + CODEBOOKS))
    for slot in world.slot_bars:
        kept.update(range(slot * bar - APPROACH, min((slot + 1) * bar + CODEBOOKS, last)))
    return torch.tensor(sorted(kept))


def weights(world: World) -> Tensor:
    """Weight of each prediction: (codebooks, columns of a whole piece).

    A slot's onset is where the decision shows, 0.5 % of a piece; a motif's first statement cannot
    be predicted at all.
    """
    bar = world.frames_per_bar
    frames = torch.ones(world.bars * bar)
    frames[: (world.cue_bar + 1) * bar] = WEIGHT_EARLY
    for again in world.statement_bars[1:]:
        frames[again * bar : (again + 1) * bar] = WEIGHT_STATEMENT
    for slot in world.slot_bars:
        frames[slot * bar : (slot + 1) * bar] = WEIGHT_SLOT
        frames[slot * bar : slot * bar + ONSET_FRAMES] = WEIGHT_ONSET
    placed = torch.zeros(CODEBOOKS, len(frames) + CODEBOOKS - 1)
    for k in range(CODEBOOKS):
        placed[k, k : k + len(frames)] = frames
    return placed


class Pieces:
    """An endless series of training pieces."""

    def __init__(self, table: NoteTable, recipe: Recipe, pad: int) -> None:
        self._table, self._recipe, self._pad = table, recipe, pad
        self._world = table.world
        self._prompts = {text: i for i, text in enumerate(prompts_of(table.world))}

    def batch(self, step: int, columns: Tensor, *, partners: bool) -> Batch:
        """The batch of one step; depends on nothing but the recipe and the arguments.

        With ``partners``, the second half of the batch repeats the motifs of the first in pieces
        that are otherwise drawn anew.
        """
        recipe, world = self._recipe, self._world
        size = 2 * max(1, round(recipe.columns_per_step / len(columns) / 2))
        scores = [
            compose(world, recipe.seed, 10_000 * step + i, part="training") for i in range(size)
        ]
        if partners:
            half = size // 2
            scores[half:] = [
                _partner(first, other)
                for first, other in zip(scores[:half], scores[half:], strict=True)
            ]
        random = torch.Generator().manual_seed(10_000 * recipe.seed + step)
        if not recipe.cue_decides:
            said = torch.randint(2, (size, len(world.slot_bars)), generator=random).bool()
            scores = [
                replace(score, cue=tuple(cue))
                for score, cue in zip(scores, said.tolist(), strict=True)
            ]
        tokens = delayed(self._table(scores), self._pad)
        return Batch(
            inputs=self._corrupted(tokens[:, :, columns], columns, random),
            targets=tokens[:, :, columns + 1],
            which=torch.tensor([self._prompts[score.prompt(world)] for score in scores]),
            told=torch.rand(size, generator=random) >= recipe.untold,
            decisions=torch.tensor([score.returns for score in scores], dtype=torch.float32),
        )

    def _corrupted(self, tokens: Tensor, columns: Tensor, random: torch.Generator) -> Tensor:
        after = (max(self._world.statement_bars) + 1) * self._world.frames_per_bar
        hit = torch.rand(tokens.shape, generator=random) < self._recipe.corruption
        hit &= (tokens != self._pad) & (columns >= after)
        return torch.where(hit, torch.randint(self._pad, tokens.shape, generator=random), tokens)


def _partner(first: Score, other: Score) -> Score:
    # Filler agrees in about half of the bars, so that it does not betray whose keys are read.
    shared = np.random.default_rng(list(other.filler)).random(len(first.filler)) < 0.5
    filler = (
        mine if same else yours
        for mine, yours, same in zip(first.filler, other.filler, shared, strict=True)
    )
    return replace(first, filler=tuple(filler), cue=other.cue, returns=other.returns)
