"""Small real models, and pieces of the organism with their counterfactual beginnings."""

import io
from pathlib import Path

import pytest
import soundfile
import torch

from leitmotif.causal.experiment.prefixes import Prefix
from leitmotif.causal.experiment.twins import Twins
from leitmotif.corpus.organism.composer import compose, render, sounds, truth
from leitmotif.corpus.organism.shard import encode_mp3
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import World, load_world
from leitmotif.musicgen import HookedMusicGen
from leitmotif.tables.truth import Truth
from tests.tiny import tiny_musicgen, tiny_tokenizer

PIECES = 8


@pytest.fixture(scope="session")
def exact_model() -> HookedMusicGen:
    """Random weights in float64, where the batch's shape moves logits by 1e-14 and no token."""
    return HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer()).to(dtype="float64")


@pytest.fixture(scope="session")
def prefixes() -> list[Prefix]:
    """Three tracks of random codes [4, 20] with one source each."""
    codes = torch.randint(64, (6, 4, 20), generator=torch.Generator().manual_seed(5))
    return [Prefix(f"track_{i}", codes[i], sources={"other": codes[i + 3]}) for i in range(3)]


@pytest.fixture(scope="session")
def world(repo_root: Path) -> World:
    return load_world(repo_root / "models/organism/world.json")


@pytest.fixture(scope="session")
def truths(world: World) -> list[Truth]:
    """The first composed pieces of a series."""
    return [
        truth(
            world,
            compose(world, 77, i, part="held_out"),
            track_id=f"piece_{i}",
            seed=77,
            index=i,
            bars=world.bars,
        )
        for i in range(PIECES)
    ]


@pytest.fixture(scope="session")
def twins(world: World, truths: list[Truth]) -> Twins:
    return Twins(world, {row.track_id: row for row in truths})


@pytest.fixture(scope="session")
def planner(repo_root: Path) -> HookedMusicGen:
    folder = str(repo_root / "models/organism/planner")
    return HookedMusicGen.from_pretrained(folder, device="cpu", dtype="float64")


@pytest.fixture(scope="session")
def reader(repo_root: Path) -> HookedMusicGen:
    folder = str(repo_root / "models/organism/reader")
    return HookedMusicGen.from_pretrained(folder, device="cpu", dtype="float64")


@pytest.fixture(scope="session")
def pieces(
    world: World, truths: list[Truth], twins: Twins, planner: HookedMusicGen
) -> list[Prefix]:
    """Up to the end of the cue, as an MP3 of the corpus gives it, with the first slot's twin."""
    bank = SoundBank(world)
    made = []
    for row in truths:
        score = compose(world, row.seed, row.index, part="held_out")
        mp3 = encode_mp3(render(bank, sounds(world, score)), world.sample_rate)
        samples, _ = soundfile.read(io.BytesIO(mp3), dtype="float32")
        known = twins.planted(row.track_id, planner)
        twin = twins.counterfactual(planner, row.track_id, 0)
        assert known is not None
        assert twin is not None
        codes = planner.encode_audio(samples[: known.prefix_samples])[0]
        made.append(Prefix(row.track_id, codes, sources={"twin": twin}))
    return made
