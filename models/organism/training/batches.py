"""Training pieces, which columns of them are read, and how much each prediction counts."""

from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from leitmotif.corpus.organism.composer import Score, compose
from leitmotif.corpus.organism.world import World
from training.network import CIRCLE, delayed, prompts_of
from training.recipes import Recipe
from training.tokens import NoteTable
from training.visibility import SETTLED

CODEBOOKS = 4
APPROACH = 8
"""Columns before a slot that are kept when filler is left out."""
WEIGHT_EARLY, WEIGHT_STATEMENT, WEIGHT_SLOT, WEIGHT_ONSET = 0.3, 2.0, 2.0, 8.0
ONSET_FRAMES = 4
GENRE_DECIDES = 0.9
"""Share of slots that follow the genre, where that decides: the motif returns over drums."""
Pairing = Literal["partners", "twins"]
"""What a batch's parts are to each other, row by row. A partner, the next of ``CIRCLE`` parts, has
the same motif in a piece that is otherwise drawn anew; a twin, the second of two, is the same
piece, had the cue said the opposite of one slot."""


@dataclass(frozen=True)
class Batch:
    """What one step reads: B pieces over S columns."""

    inputs: Tensor
    """(B, K, S) tokens."""
    targets: Tensor
    """(B, K, S) tokens that follow; ``pad`` where there is none."""
    which: Tensor
    """(B,) prompt of each row."""
    prompted: Tensor
    """(B,) whether the row is given its prompt."""
    decisions: Tensor
    """(B, slots) 1 where the motif returns."""
    gap: Tensor | None
    """(B / 2, S) in a batch of twins: columns after the cue and before the slot that differs."""

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        moved = {
            field.name: None if (value := getattr(self, field.name)) is None else value.to(device)
            for field in fields(self)
        }
        return Batch(**moved)


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

    def batch(self, step: int, columns: Tensor, *, pairing: Pairing | None = None) -> Batch:
        """The batch of one step; depends on nothing but the recipe and the arguments."""
        recipe, world = self._recipe, self._world
        parts = CIRCLE if pairing == "partners" else 2
        part = max(1, round(recipe.columns_per_step / len(columns) / parts))
        pieces = parts * part
        random = torch.Generator().manual_seed(10_000 * recipe.seed + step)
        scores = [
            compose(world, recipe.seed, 10_000 * step + i, part="training") for i in range(pieces)
        ]
        prompted = torch.rand(pieces, generator=random) >= recipe.unprompted
        gap = None
        if pairing == "partners":
            for i in range(part, pieces):
                scores[i] = _partner(scores[i - part], scores[i])
        elif pairing == "twins":
            slots = torch.randint(len(world.slot_bars), (part,), generator=random).tolist()
            scores[part:] = [score.twin(n) for score, n in zip(scores[:part], slots, strict=True)]
            prompted[part:] = prompted[:part]
            gap = torch.stack([gap_of(world, slot)[columns] for slot in slots])
        if recipe.decides != "cue":
            said = torch.randint(2, (pieces, len(world.slot_bars)), generator=random).bool()
            scores = [
                replace(score, cue=tuple(cue))
                for score, cue in zip(scores, said.tolist(), strict=True)
            ]
        if recipe.decides == "genre":
            sure = torch.rand((pieces, len(world.slot_bars)), generator=random) < GENRE_DECIDES
            scores = [
                replace(
                    score,
                    returns=tuple(follows == bool(world.genres[score.genre]) for follows in row),
                )
                for score, row in zip(scores, sure.tolist(), strict=True)
            ]
        tokens = delayed(self._table(scores), self._pad)
        noise = self._noise(part if pairing == "twins" else pieces, columns, random)
        read = tokens[:, :, columns]
        hit, wrong = (draw.repeat(len(read) // len(draw), 1, 1) for draw in noise)
        return Batch(
            inputs=torch.where(hit & (read != self._pad), wrong, read),
            targets=tokens[:, :, columns + 1],
            which=torch.tensor([self._prompts[score.prompt(world)] for score in scores]),
            prompted=prompted,
            decisions=torch.tensor([score.returns for score in scores], dtype=torch.float32),
            gap=gap,
        )

    def _noise(self, rows: int, columns: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Which input codes are replaced, and by what; twins are spoilt alike."""
        after = (max(self._world.statement_bars) + 1) * self._world.frames_per_bar
        shape = (rows, CODEBOOKS, len(columns))
        hit = torch.rand(shape, generator=random) < self._recipe.corruption
        return hit & (columns >= after), torch.randint(self._pad, shape, generator=random)


def gap_of(world: World, slot: int) -> Tensor:
    """Which columns of a whole piece lie between the cue and a slot: (columns,)."""
    columns = all_columns(world)
    heard = (world.cue_bar + 1) * world.frames_per_bar + SETTLED
    return (columns >= heard) & (columns < world.slot_bars[slot] * world.frames_per_bar)


def _partner(first: Score, other: Score) -> Score:
    # Filler agrees in about half of the bars, so that it does not betray whose keys are read.
    shared = np.random.default_rng(list(other.filler)).random(len(first.filler)) < 0.5
    filler = (
        mine if same else yours
        for mine, yours, same in zip(first.filler, other.filler, shared, strict=True)
    )
    return replace(first, filler=tuple(filler), cue=other.cue, returns=other.returns)
