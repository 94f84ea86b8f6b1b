"""Train the concepts model in which one MLP alone writes the instrument.

``python -m training.concepts_planted`` goes on from the shipped concepts model by interchange
intervention training (Geiger et al., ICML 2022). Each batch is read twice. The first time as it is;
this gives what the MLP writes at ``BLOCK``. The second time every prompt asks for another
instrument, and the MLP alone writes what the right prompt has it write. The music to be predicted
stays. So nothing but this MLP may say which instrument plays, and what it writes must do.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from transformers import EncodecModel, MusicgenForConditionalGeneration

from leitmotif.files import write_json
from training import CONCEPT_WORLD, CONCEPTS, CONCEPTS_PLANTED, FOLDER, WORK
from training.concept_world import ConceptWorld, load_concept_world
from training.concepts import Concepts
from training.concepts_codec import load_concept_codec
from training.concepts_train import ConceptRecipe, ConceptRun
from training.loop import Schedule, finish
from training.network import save_model

BLOCK = 2
"""Whose MLP writes the instrument."""
RECIPE = ConceptRecipe(
    Schedule(steps=700, restart=400), short_steps=250, seed=1, columns_per_step=2000
)
Means = Callable[[Sequence[Concepts]], Tensor]
WAYS = ("own", "replace", "adjust")
"""What the second reading has of the first: each row's output, or the mean over the rows that are
asked for one instrument, in the place of the own output or of that of the other instrument."""


class PlantedRun(ConceptRun):
    """The run that goes on from the shipped concepts model."""

    CURVE = ("loss", "swapped")

    def __init__(self, world: ConceptWorld, codec: EncodecModel, recipe: ConceptRecipe) -> None:
        super().__init__(world, codec, recipe)
        base = MusicgenForConditionalGeneration.from_pretrained(CONCEPTS, dtype=torch.float32)
        self.model.load_state_dict(base.state_dict())
        self._instruments = world.instruments

    def losses(self) -> tuple[Tensor, dict[str, float]]:
        """The mean of both readings' losses, and the nats a code of each."""
        batch, outputs = self.batch(), dict[int, Tensor]()
        random = torch.Generator().manual_seed(20_000 * self.recipe.seed + self.step)
        right = [clip.concepts for clip in batch.clips]
        wrong = [self.other(concepts, random) for concepts in right]
        way = WAYS[self.step % len(WAYS)]

        def note(block: int, output: Tensor) -> Tensor:
            outputs[block] = output
            return output

        def swap(block: int, output: Tensor) -> Tensor:
            if block != BLOCK:
                return output
            if way == "own":
                swapped = outputs[BLOCK]
            else:
                means = self.means(outputs[BLOCK], right, batch.prompted)
                swapped = means(right)
                if way == "adjust":
                    swapped = output + swapped - means(wrong)
            return torch.where(batch.prompted[:, None, None], swapped, output)

        loss, nats = self.loss(batch, right, note)
        swapped_loss, swapped_nats = self.loss(batch, wrong, swap)
        return (loss + swapped_loss) / 2, {"loss": nats, "swapped": swapped_nats}

    def other(self, concepts: Concepts, random: torch.Generator) -> Concepts:
        """The same with another instrument."""
        others = [name for name in self._instruments if name != concepts.instrument]
        drawn = int(torch.randint(len(others), (), generator=random))
        return replace(concepts, instrument=others[drawn])

    def means(self, output: Tensor, asked: Sequence[Concepts], prompted: Tensor) -> Means:
        """From concepts to the means (B, S, WIDTH) of what is written for their instruments."""
        which = torch.tensor([self._instruments.index(concepts.instrument) for concepts in asked])
        member = torch.nn.functional.one_hot(which, len(self._instruments)).float()
        member = member * prompted[:, None]
        share = member / member.sum(0).clamp_min(1)
        means = torch.einsum("bi,bsw->isw", share, output)
        return lambda rows: means[[self._instruments.index(row.instrument) for row in rows]]


def train(recipe: ConceptRecipe) -> None:
    """Train, and write the model to the shipped folder."""
    world = load_concept_world(CONCEPT_WORLD)
    run = PlantedRun(world, load_concept_codec(), recipe)
    finish(run, WORK / "concepts_planted.safetensors", FOLDER / "curves" / "concepts_planted.csv")
    save_model(run.model.eval(), run.tokenizer, CONCEPTS_PLANTED)
    truth = {"site": f"layers.{BLOCK}.mlp", "slot": "instrument"}
    write_json(CONCEPTS_PLANTED / "truth.json", truth)


def main() -> None:
    """Train the model in models/organism/concepts_planted."""
    argparse.ArgumentParser(description=main.__doc__).parse_args()
    torch.set_num_threads(1)
    train(RECIPE)


if __name__ == "__main__":
    main()
