"""The shipped world and a small shard composed from it."""

from pathlib import Path

import pytest

from leitmotif.corpus.organism.shard import write_shard
from leitmotif.corpus.organism.world import World, load_world
from training.concept_world import ConceptWorld, load_concept_world

SHARD_PIECES, SHARD_SEED = 24, 7


@pytest.fixture(scope="session")
def organism(repo_root: Path) -> Path:
    return repo_root / "models" / "organism"


@pytest.fixture(scope="session")
def world(organism: Path) -> World:
    return load_world(organism / "world.json")


@pytest.fixture(scope="session")
def varied(organism: Path) -> World:
    """The same world, but for returns of every kind."""
    return load_world(organism / "varied.json")


@pytest.fixture(scope="session")
def concept_world(organism: Path) -> ConceptWorld:
    return load_concept_world(organism / "concepts.json")


@pytest.fixture(scope="session")
def shard(varied: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shard")
    write_shard(varied, folder, pieces=SHARD_PIECES, seed=SHARD_SEED)
    return folder
