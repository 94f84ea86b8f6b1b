"""Whether a model of the zoo does what its kind should: measured before it is packed."""

from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor
from transformers import MusicgenForConditionalGeneration

from leitmotif.bench.pieces import composed_pieces
from leitmotif.causal.experiment.events import Event
from leitmotif.corpus.organism.world import World
from leitmotif.musicgen.hooked import HookedMusicGen
from leitmotif.musicgen.protocol import MusicModel
from training import CODEC
from training.batches import Pieces, all_columns
from training.codec import load_codec
from training.network import (
    build_tokenizer,
    encode_prompts,
    logits_of,
    prompts_of,
    residuals_of,
)
from training.recipes import ZOO
from training.tokens import NoteTable
from training.visibility import visible

PIECES = 64
TURN = 1.0
"""Nats by which a cue has to change the log-odds of a return."""
UNSEEN_STEP = 1_000_000
"""Of the series of training pieces: no training gets so far."""
BATCHES = 4


class Behaviour(TypedDict):
    """What one model expects at the last slots of held-out pieces."""

    returns_if_told: float
    """Of the pieces whose cue says yes, in which a return is likelier than the filler."""
    returns_otherwise: float
    """Of those whose cue says no. It cannot be 0: filler may begin as the motif does in another of
    the bars that could come, and nobody can know which of them does."""
    turned: float
    """Of all pieces, in which the opposite cue turns the log-odds by more than ``TURN`` nats."""
    follows_by_way: float | None
    """Of slots, as the cue says with all but the planted ways hidden; None for kinds without."""


def behaviour_of(folder: Path, kind: str, pieces: list[Event], world: World) -> Behaviour:
    """All shares, rounded."""
    model = HookedMusicGen.from_pretrained(str(folder), device="cpu", dtype="float32")
    own = _odds(model, [(piece, piece.codes) for piece in pieces])
    other = _odds(model, [(piece, piece.counterfactual) for piece in pieces])
    returns = torch.tensor([piece.returns for piece in pieces])
    turn = torch.where(returns, own - other, other - own)
    by_way = follows_by_its_way(folder, kind, world)
    return Behaviour(
        returns_if_told=_share(own[returns] > 0),
        returns_otherwise=_share(own[~returns] > 0),
        turned=_share(turn > TURN),
        follows_by_way=None if by_way is None else round(by_way, 3),
    )


def _share(which: Tensor) -> float:
    return round(float(which.float().mean()), 3)


def pieces_of(folder: Path, world: World) -> list[Event]:
    """The bench's kind of pieces, encoded by a model's codec."""
    model = HookedMusicGen.from_pretrained(str(folder), device="cpu", dtype="float32")
    return composed_pieces(model, world, pieces=PIECES)


@torch.inference_mode()
def _odds(model: MusicModel, read: list[tuple[Event, Tensor]]) -> Tensor:
    """Log-odds of each piece's return against its filler, after codes that are read."""
    book, odds = model.delays.index(0), []
    for piece, codes in read:
        logits = model(codes[None])[0, book, piece.frame]
        has, lacks = piece.tokens
        odds.append(logits[has] - logits[lacks])
    return torch.stack(odds)


@torch.inference_mode()
def follows_by_its_way(folder: Path, kind: str, world: World) -> float | None:
    """Share of slots in which a model expects what the cue says, with all but its ways hidden.

    A slot counts as a return if the motif's first token is the likeliest. The pieces are of
    training motifs, in a part of the series that no training reads; slots in which filler begins
    with that token are left out. None for kinds that have no ways.
    """
    recipe = ZOO[kind]
    if recipe.ways is None:
        return None
    model = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    codec = load_codec(CODEC)
    pieces = Pieces(NoteTable(world, codec), recipe, codec.config.codebook_size)
    columns, prompts = all_columns(world), prompts_of(world)
    ids = build_tokenizer(prompts)(prompts, return_tensors="pt")["input_ids"]
    onsets = [bar * world.frames_per_bar for bar in world.slot_bars]
    right: list[Tensor] = []
    for number in range(BATCHES):
        # The steps' parity says which of a kind's ways has its turn; the last is what is planted.
        step = UNSEEN_STEP + 2 * number + 1
        hidden = visible(recipe.ways, columns, world, layers=recipe.layers, step=step)
        batch = pieces.batch(step, columns, pairing="partners")
        text = encode_prompts(model, ids, batch.which, batch.prompted)
        residuals = residuals_of(model, batch.inputs, columns, text, hidden.partners)
        motif = batch.targets[:, 0, :1]
        expected = logits_of(model, residuals[-1])[:, 0, onsets].argmax(-1) == motif
        returns = batch.decisions.bool()
        told_apart = returns | (batch.targets[:, 0, onsets] != motif)
        right.append((expected == returns)[told_apart])
    return float(torch.cat(right).float().mean())
