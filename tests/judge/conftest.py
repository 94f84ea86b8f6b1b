"""Judges with random weights, and noise to judge."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from leitmotif.judge.models import Clap, Tagger
from tests.judge.tiny_judges import save_tiny_ast, save_tiny_clap

RATE = 32_000


@pytest.fixture(scope="session")
def clap_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_clap(tmp_path_factory.mktemp("clap") / "unfused")


@pytest.fixture(scope="session")
def fused_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_clap(tmp_path_factory.mktemp("clap") / "fused", fused=True)


@pytest.fixture(scope="session")
def tagger_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_ast(tmp_path_factory.mktemp("ast") / "tiny")


@pytest.fixture(scope="session")
def clap(clap_folder: Path) -> Clap:
    return Clap.from_pretrained(str(clap_folder), device="cpu")


@pytest.fixture(scope="session")
def tagger(tagger_folder: Path) -> Tagger:
    return Tagger.from_pretrained(str(tagger_folder), device="cpu")


@pytest.fixture(scope="session")
def noise() -> NDArray[np.float32]:
    """Three clips of 2 s at 32 kHz, each louder and brighter than the one before."""
    random = np.random.default_rng(5)
    clips = random.standard_normal((3, 2 * RATE))
    clips[1] = np.cumsum(clips[1]) / 60
    clips *= np.array([[0.02], [0.1], [0.3]])
    return clips.astype(np.float32)
