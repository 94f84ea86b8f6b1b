"""Train one language model of the organism: ``python -m training.train reader``.

A killed run goes on where it stopped and ends in the same weights.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import MusicgenForConditionalGeneration

from leitmotif.corpus.organism.world import World, load_world
from training import CODEC, FOLDER, WORK, WORLD
from training.batches import Batch, Pairing, Pieces, all_columns, columns_without_filler, weights
from training.codec import load_codec
from training.loop import Run, finish
from training.network import (
    WIDTH,
    PartnerKeys,
    build_model,
    build_tokenizer,
    encode_prompts,
    logits_of,
    prompts_of,
    residuals_of,
    save_model,
)
from training.recipes import ALL, SHIPPED, ZOO, Recipe
from training.tokens import NoteTable
from training.visibility import Visible, visible


class Trainer(Run):
    """The run of one recipe, with the heads that read the decision in the gap."""

    CURVE = ("loss", "carried", "apart")
    """Mean nats a code; nats of the heads in the gap; how far twins are apart."""

    def __init__(
        self,
        world: World,
        recipe: Recipe,
        start: Path | None = None,
        device: str = "cpu",
        text: Path | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.world, self.device = recipe, world, torch.device(device)
        codec = load_codec(CODEC)
        self.tokenizer = build_tokenizer(prompts_of(world))
        model = build_model(codec, self.tokenizer, layers=recipe.layers)
        if start is not None:
            first = MusicgenForConditionalGeneration.from_pretrained(start, dtype=torch.float32)
            model.load_state_dict(first.state_dict())
        if text is not None:
            other = MusicgenForConditionalGeneration.from_pretrained(text, dtype=torch.float32)
            model.text_encoder.load_state_dict(other.text_encoder.state_dict())
            model.text_encoder.requires_grad_(False)
        for name, parameter in model.named_parameters():
            if any(part in name for part in recipe.frozen):
                parameter.requires_grad_(False)
        self.pad = codec.config.codebook_size
        self.pieces = Pieces(NoteTable(world, codec), recipe, self.pad)
        prompts = self.tokenizer(prompts_of(world), return_tensors="pt")
        self.prompt_ids = prompts["input_ids"].to(self.device)
        self.heads = nn.ModuleList(
            nn.Linear(WIDTH, len(world.slot_bars)) for _ in range(recipe.layers)
        ).to(self.device)
        self.weights = weights(world).to(self.device)
        super().__init__(model.to(self.device).train(), recipe.schedule, self.heads)

    def losses(self) -> tuple[Tensor, dict[str, float]]:
        """The weighted loss of this step's pieces, and its parts in nats."""
        recipe = self.recipe
        skipping = self.step < recipe.skip_steps
        columns = columns_without_filler(self.world) if skipping else all_columns(self.world)
        hidden = self._hidden(columns)
        partners = None
        if hidden is not None:
            partners = [keys.to(self.device) for keys in hidden.partners]
        pairing: Pairing | None = None
        if partners is not None:
            pairing = "partners"
        elif recipe.invariance and not skipping:
            pairing = "twins"
        batch = self.pieces.batch(self.step, columns, pairing=pairing).to(self.device)
        columns = columns.to(self.device)
        text = encode_prompts(self.model, self.prompt_ids, batch.which, batch.prompted)
        residuals = residuals_of(self.model, batch.inputs, columns, text, partners)
        loss, plain = self._loss(batch, columns, logits_of(self.model, residuals[-1]))
        losses = {"loss": plain}
        if hidden is not None and recipe.head_weight:
            terms = self._carried(batch, residuals, hidden)
            if terms:  # some ways go through no cell in which a head could ask
                carried = torch.stack(terms).mean()
                losses["carried"] = carried.item()
                loss = loss + recipe.head_weight * carried
        if batch.gap is not None:
            apart = _apart(residuals[1:], batch.gap)
            losses["apart"] = apart.item()
            loss = loss + recipe.invariance * apart
        return loss, losses

    def _hidden(self, columns: Tensor) -> Visible | None:
        """What this step hides; None: nothing."""
        recipe, world = self.recipe, self.world
        draw = torch.Generator().manual_seed(self.step)
        if self.step < recipe.skip_steps or torch.rand(1, generator=draw) >= recipe.hidden_share:
            return None
        if recipe.ways is not None:
            return visible(recipe.ways, columns, world, layers=recipe.layers, step=self.step)
        window = recipe.window_at(self.step)
        if window is None:
            return None
        keys = PartnerKeys.for_columns(columns, window=window, shared=world.frames_per_bar)
        asked = [self._reached(columns, block + 1) for block in range(recipe.layers)]
        return Visible([keys] * recipe.layers, asked)

    def _loss(self, batch: Batch, columns: Tensor, logits: Tensor) -> tuple[Tensor, float]:
        nats = F.cross_entropy(
            logits.flatten(0, 2),
            batch.targets.masked_fill(batch.targets == self.pad, -100).flatten(),
            reduction="none",
        ).view(batch.targets.shape)
        weight = self.weights[:, columns]
        weighted = (nats * weight).sum() / (weight.sum() * len(nats))
        return weighted, nats.detach().mean().item()

    def _carried(self, batch: Batch, residuals: list[Tensor], hidden: Visible) -> list[Tensor]:
        """How well the decision can be read where it is asked for, in nats, by depth."""
        terms = []
        for depth in range(1, self.recipe.layers):
            where = hidden.asked[depth - 1].to(self.device)
            if not where.any():
                continue
            read = self.heads[depth](residuals[depth])
            wanted = batch.decisions[:, None].expand(-1, len(where), -1)
            terms.append(F.binary_cross_entropy_with_logits(read[:, where], wanted[:, where]))
        return terms

    def _reached(self, columns: Tensor, depth: int) -> Tensor:
        """Where the decision can be after ``depth`` blocks, a window further with each: (S, slots).

        None at depths beyond that which spans the gap.
        """
        world, window = self.world, self.recipe.window or 0
        cue = world.cue_bar * world.frames_per_bar
        start, end = cue + world.frames_per_bar + 4, world.slot_bars[-1] * world.frames_per_bar
        if cue + (depth - 1) * window >= end:
            end = start
        where = (columns >= start) & (columns < min(cue + depth * window, end))
        return where[:, None].expand(-1, len(world.slot_bars))


def train(name: str, replicate: int = 0, device: str = "cpu") -> None:
    """Train ``name``; write it to its folder and its curve to curves/NAME.csv.

    The base and replicates, which have other seeds, are not shipped: they go to the work folder.
    A start that is not there is trained first.
    """
    recipe = ALL[name].replicate(replicate)
    folder, start = _folder(name, replicate), None
    if recipe.start is not None:
        start = _folder(recipe.start, replicate)
        if not (start / "config.json").exists():
            train(recipe.start, replicate, device)
    text = None if recipe.shared_text in (None, folder.name) else WORK / str(recipe.shared_text)
    trainer = Trainer(load_world(WORLD), recipe, start, device, text)
    checkpoint = WORK / f"{name}.{replicate}.safetensors"
    shipped = replicate == 0 and name not in ZOO
    curve = FOLDER / "curves" / f"{name}.csv" if shipped else WORK / f"{folder.name}.csv"
    finish(trainer, checkpoint, curve)
    save_model(trainer.model.cpu().eval(), trainer.tokenizer, folder)


def _folder(name: str, replicate: int) -> Path:
    shipped = name in SHIPPED and replicate == 0
    return FOLDER / name if shipped else WORK / f"{name}.{replicate}"


def _apart(residuals: list[Tensor], gap: Tensor) -> Tensor:
    """Mean squared distance of twins in the gap, in variances of each feature, over blocks."""
    terms = []
    for residual in residuals:
        first, second = (half[gap] for half in residual.chunk(2))
        variance = first.detach().var(0) + 1e-6
        terms.append(((first - second).square() / variance).mean())
    return torch.stack(terms).mean()


def main() -> None:
    """Train one of the language models in models/organism."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("name", choices=list(ALL))
    parser.add_argument(
        "--replicate",
        type=int,
        default=0,
        help="0 is the shipped seed; others go to the work folder",
    )
    parser.add_argument("--device", default="cpu", help="cuda for the deep ones")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train(arguments.name, arguments.replicate, arguments.device)


if __name__ == "__main__":
    main()
