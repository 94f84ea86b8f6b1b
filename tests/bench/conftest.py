"""A zoo of two models with random weights, and verdicts."""

from pathlib import Path

import pytest
import torch

from leitmotif.bench.zoo import Zoo
from leitmotif.corpus.organism.world import World, load_world
from training.codec import load_codec
from training.network import build_model, build_tokenizer, prompts_of, save_model
from training.recipes import SHARED_IN_ZOO
from training.zoo import pack


@pytest.fixture(scope="session")
def world(repo_root: Path) -> World:
    return load_world(repo_root / "models/organism/world.json")


@pytest.fixture(scope="session")
def codec(repo_root: Path) -> Path:
    return repo_root / "models/organism/codec"


@pytest.fixture(scope="session")
def trained(codec: Path, world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of two models of two blocks that share what a zoo's models share."""
    work = tmp_path_factory.mktemp("work")
    torch.manual_seed(0)
    tokenizer = build_tokenizer(prompts_of(world))
    model = build_model(load_codec(codec), tokenizer, layers=2)
    folders = {}
    for name in ("carrier.0", "looker.0"):
        folders[name] = work / name
        save_model(model, tokenizer, work / name)
        (work / f"{name}.csv").write_text("step,loss\n1,5.0\n")
        with torch.no_grad():
            for key, weight in model.named_parameters():
                if not any(part in key for part in (*SHARED_IN_ZOO, "audio_encoder")):
                    weight.add_(0.25)
    return folders


@pytest.fixture(scope="session")
def zoo(
    trained: dict[str, Path], codec: Path, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Zoo:
    root = tmp_path_factory.mktemp("zoo")
    pack(trained, root, codec=codec, world=world)
    return Zoo(root, codec)
