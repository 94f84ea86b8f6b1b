"""Train one language model of the organism: ``python -m training.train reader``.

A checkpoint every few minutes holds the whole state, so a killed run goes on where it stopped and
ends in the same weights.
"""

import argparse
import csv
import io
import time
from pathlib import Path
from statistics import fmean

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import MusicgenForConditionalGeneration

from leitmotif.corpus.organism.world import World, load_world
from leitmotif.files import atomic, write_text
from training import CODEC, FOLDER, WORLD
from training.batches import Batch, Pieces, all_columns, columns_without_filler, weights
from training.codec import load_codec
from training.network import (
    LAYERS,
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
from training.recipes import RECIPES, Recipe
from training.tokens import NoteTable

LOG_EVERY, SAVE_EVERY = 25, 100
"""Steps from one row of the curve, or checkpoint, to the next; one is a multiple of the other."""


class Trainer:
    """One run: model, heads, optimisers and the step they are at."""

    def __init__(self, world: World, recipe: Recipe) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.world = recipe, world
        codec = load_codec(CODEC)
        self.tokenizer = build_tokenizer(world)
        self.model = build_model(codec, self.tokenizer)
        if recipe.start is not None:
            start = MusicgenForConditionalGeneration.from_pretrained(
                FOLDER / recipe.start, dtype=torch.float32
            )
            self.model.load_state_dict(start.state_dict())
        self.model.train()
        self.pad = codec.config.codebook_size
        self.pieces = Pieces(NoteTable(world, codec), recipe, self.pad)
        self.prompt_ids = self.tokenizer(prompts_of(world), return_tensors="pt")["input_ids"]
        self.heads = nn.ModuleList(nn.Linear(WIDTH, len(world.slot_bars)) for _ in range(LAYERS))
        self.step = 0
        layers = self.model.decoder.model.decoder.layers
        matrices = [p for p in layers.parameters() if p.ndim == 2]
        chosen = set(map(id, matrices))
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        others = [p for p in self.parameters if id(p) not in chosen]
        self.muon = torch.optim.Muon(
            matrices, lr=1.0, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"
        )
        self.adam = torch.optim.AdamW(
            [*others, *self.heads.parameters()], lr=1.0, betas=(0.9, 0.95), weight_decay=0.01
        )
        self.weights = weights(world)

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.recipe.skip_steps + self.recipe.full_steps

    def advance(self) -> dict[str, float]:
        """Take one step; returns its losses in nats."""
        recipe = self.recipe
        skipping = self.step < recipe.skip_steps
        columns = columns_without_filler(self.world) if skipping else all_columns(self.world)
        partners = self._partners(columns)
        batch = self.pieces.batch(self.step, columns, partners=partners is not None)
        text = encode_prompts(self.model, self.prompt_ids, batch.which, batch.told)
        residuals = residuals_of(self.model, batch.inputs, columns, text, partners)
        loss, plain = self._loss(batch, columns, logits_of(self.model, residuals[-1]))
        losses = {"loss": plain}
        if partners is not None:
            carried = self._carried(batch, columns, residuals)
            losses["carried"] = carried.item()
            loss = loss + recipe.head_weight * carried
        self._update(loss)
        self.step += 1
        return losses

    def _partners(self, columns: Tensor) -> PartnerKeys | None:
        draw = torch.Generator().manual_seed(self.step)
        window = self.recipe.window
        if window is None or torch.rand(1, generator=draw) >= self.recipe.window_share:
            return None
        return PartnerKeys.for_columns(columns, window=window, shared=self.world.frames_per_bar)

    def _loss(self, batch: Batch, columns: Tensor, logits: Tensor) -> tuple[Tensor, float]:
        nats = F.cross_entropy(
            logits.flatten(0, 2),
            batch.targets.masked_fill(batch.targets == self.pad, -100).flatten(),
            reduction="none",
        ).view(batch.targets.shape)
        weight = self.weights[:, columns]
        weighted = (nats * weight).sum() / (weight.sum() * len(nats))
        return weighted, nats.detach().mean().item()

    def _carried(self, batch: Batch, columns: Tensor, residuals: list[Tensor]) -> Tensor:
        """How well the decision can be read in the gap, in nats, mean over depths.

        After n blocks the decision can have travelled n windows from the cue; each depth is asked
        for it as far as that, up to the depth that spans the gap.
        """
        world, window = self.world, self.recipe.window or 0
        cue = world.cue_bar * world.frames_per_bar
        gap_start, gap_end = (
            cue + world.frames_per_bar + 4,
            world.slot_bars[-1] * world.frames_per_bar,
        )
        depths = [n for n in range(1, LAYERS) if cue + (n - 1) * window < gap_end]
        terms = []
        for n in depths:
            asked = (columns >= gap_start) & (columns < min(cue + n * window, gap_end))
            read = self.heads[n](residuals[n][:, asked])
            wanted = batch.decisions[:, None].expand_as(read)
            terms.append(F.binary_cross_entropy_with_logits(read, wanted))
        return torch.stack(terms).mean()

    def _update(self, loss: Tensor) -> None:
        recipe = self.recipe
        rising = min(1.0, (self.step + 1) / recipe.warm_up)
        falling = min(1.0, (1 - self.step / self.steps) / recipe.decay)
        factor = rising * (0.97 * falling + 0.03)
        for optimiser, rate in ((self.muon, recipe.muon_rate), (self.adam, recipe.adam_rate)):
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
            optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.muon.step()  # type: ignore[no-untyped-call]
        self.adam.step()

    def save(self, path: Path) -> None:
        """Write everything that the next step depends on."""
        tensors = {"step": torch.tensor(self.step)}
        for name, tensor in [*self.model.named_parameters(), *self.heads.named_parameters("heads")]:
            tensors[f"weights/{name}"] = tensor.detach()
        for name, optimiser in (("muon", self.muon), ("adam", self.adam)):
            for number, values in optimiser.state_dict()["state"].items():
                tensors |= {f"{name}/{number}/{key}": value for key, value in values.items()}
        with atomic(path) as temporary:
            save_file({key: value.contiguous() for key, value in tensors.items()}, temporary)

    def load(self, path: Path) -> None:
        """Go back to where ``save`` was called."""
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        self.step = int(tensors["step"])
        with torch.no_grad():
            for name, tensor in [
                *self.model.named_parameters(),
                *self.heads.named_parameters("heads"),
            ]:
                tensor.copy_(tensors[f"weights/{name}"])
        for name, optimiser in (("muon", self.muon), ("adam", self.adam)):
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                kind, *rest = key.split("/")
                if kind == name:
                    state.setdefault(int(rest[0]), {})[rest[1]] = value
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def train(name: str, work: Path) -> None:
    """Train ``name``, write it to its folder, and its curve to curves/NAME.csv."""
    trainer = Trainer(load_world(WORLD), RECIPES[name])
    checkpoint, curve = work / f"{name}.safetensors", FOLDER / "curves" / f"{name}.csv"
    rows: list[dict[str, object]] = []
    if checkpoint.exists():
        trainer.load(checkpoint)
        with curve.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if int(row["step"]) <= trainer.step]
    recent: list[dict[str, float]] = []
    started, first = time.monotonic(), trainer.step
    while trainer.step < trainer.steps:
        recent.append(trainer.advance())
        if trainer.step % LOG_EVERY == 0 or trainer.step == trainer.steps:
            rows.append({"step": trainer.step, **_means(recent)})
            recent = []
            _write_curve(curve, rows)
            pace = (time.monotonic() - started) / (trainer.step - first)
            print(rows[-1], f"{pace:.2f} s/step", flush=True)
        if trainer.step % SAVE_EVERY == 0:
            trainer.save(checkpoint)
    save_model(trainer.model.eval(), trainer.tokenizer, FOLDER / name)


def _means(losses: list[dict[str, float]]) -> dict[str, float]:
    found = {key: [each[key] for each in losses if key in each] for key in ("loss", "carried")}
    return {key: round(fmean(values), 5) for key, values in found.items() if values}


def _write_curve(path: Path, rows: list[dict[str, object]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["step", "loss", "carried"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def main() -> None:
    """Train one of the language models in models/organism."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("name", choices=list(RECIPES))
    parser.add_argument(
        "--work", type=Path, default=FOLDER / "work", help="folder of checkpoints, not kept in git"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train(arguments.name, arguments.work)


if __name__ == "__main__":
    main()
