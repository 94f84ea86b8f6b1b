"""Whether the concept clips' model plays what it is asked for, as the audio tagger hears it.

``python -m training.evaluate_concepts`` prints the measures by concept too.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from leitmotif.judge.models.tagger import Tagger
from leitmotif.lens.concepts import load_concepts
from leitmotif.musicgen.hooked import HookedMusicGen
from leitmotif.musicgen.sampling import Sampling
from training import CONCEPT_WORLD, CONCEPTS, FOLDER
from training.chroma import chroma_cosine
from training.concept_sounds import ConceptSounds
from training.concept_world import ConceptWorld, load_concept_world
from training.concepts import (
    Concepts,
    compose_clip,
    every_concepts,
    render_clip,
)
from training.concepts_codec import load_concept_codec
from training.estimates import Estimate, estimate

TAGGER = FOLDER / "judges" / "tagger"
LABELS = FOLDER.parents[1] / "concepts.yaml"
PER_PAIR = 10
"""Sampled clips for each pair of instrument and genre."""
BATCH = 40
GUIDANCE = 3.0
SEED, CODED_SEED = 77, 78
CODED = 24


@dataclass(frozen=True)
class Heard:
    """What the tagger named for each prompt."""

    asked: Sequence[Concepts]
    instruments: Sequence[str]
    genres: Sequence[str]

    def right(self, kind: str, only: str | None = None) -> list[float]:
        """1 where the ``instrument`` or ``genre`` named is the one asked for, among all clips or
        among those asked for as ``only``."""
        named = self.instruments if kind == "instrument" else self.genres
        asked = [getattr(concepts, kind) for concepts in self.asked]
        pairs = zip(asked, named, strict=True)
        return [float(a == b) for a, b in pairs if only in (None, a)]


def measure_concepts() -> dict[str, Estimate]:
    """How often the tagger names the prompted instrument and genre, from the shipped weights."""
    heard = hear(load_concept_world(CONCEPT_WORLD))
    return {f"{kind}_accuracy": estimate(heard.right(kind)) for kind in ("instrument", "genre")}


def hear(world: ConceptWorld) -> Heard:
    """Sample clips at temperature 1, top-k 50, guidance 3, and ask the tagger about each.

    The tagger names an instrument by the likeliest of the instruments' own labels, and a genre
    likewise.
    """
    model = HookedMusicGen.from_pretrained(str(CONCEPTS), device="cpu", dtype="float32")
    labels = load_concepts(LABELS)
    tagger = Tagger.from_pretrained(str(TAGGER), device="cpu")
    asked = balanced_prompts(world)
    instruments: list[str] = []
    genres: list[str] = []
    for first in range(0, len(asked), BATCH):
        some = asked[first : first + BATCH]
        codes = model.generate(
            [concepts.prompt for concepts in some],
            seconds=world.samples / world.sample_rate,
            tracks=[str(first + row) for row in range(len(some))],
            sampling=Sampling(temperature=1.0, top_k=50),
            guidance_scale=GUIDANCE,
            seed=SEED,
        ).codes
        clips = model.codec.decode(codes).numpy()
        tags = tagger.probabilities(list(clips), world.sample_rate)
        for names, said in ((world.instruments, instruments), (tuple(world.genres), genres)):
            columns = tagger.indices([labels[name].labels[0] for name in names])
            said += [names[number] for number in tags[:, columns].argmax(1)]
    return Heard(asked, instruments, genres)


def balanced_prompts(world: ConceptWorld) -> list[Concepts]:
    """``PER_PAIR`` prompts for each pair of instrument and genre, moods and tempos drawn."""
    random = np.random.default_rng(SEED)
    pairs: dict[tuple[str, str], list[Concepts]] = {}
    for concepts in every_concepts(world):
        pairs.setdefault((concepts.instrument, concepts.genre), []).append(concepts)
    return [
        some[number]
        for some in pairs.values()
        for number in random.choice(len(some), PER_PAIR, replace=False)
    ]


def concept_codec_chroma(world: ConceptWorld) -> Estimate:
    """Cosine of the chroma of composed clips before and after the codec; one value a clip."""
    codec, sounds = load_concept_codec(), ConceptSounds(world)
    clips = (compose_clip(world, CODED_SEED, index) for index in range(CODED))
    return estimate([chroma_cosine(codec, render_clip(sounds, clip)) for clip in clips])


def main() -> None:
    """Measure the shipped model of the concept clips."""
    argparse.ArgumentParser(description=main.__doc__).parse_args()
    torch.set_num_threads(1)
    world = load_concept_world(CONCEPT_WORLD)
    heard = hear(world)
    print("codec chroma", concept_codec_chroma(world))
    for kind, names in (("instrument", world.instruments), ("genre", tuple(world.genres))):
        print(kind, estimate(heard.right(kind)))
        for name in names:
            print(" ", name, estimate(heard.right(kind, name)))


if __name__ == "__main__":
    main()
