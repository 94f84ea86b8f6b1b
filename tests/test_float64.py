"""Float64 stays float64: no model computes a part of a pass in fewer digits."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from leitmotif.judge.models import Clap, Tagger
from leitmotif.musicgen import HookedMusicGen
from tests.judge.tiny_judges import save_tiny_ast, save_tiny_clap
from tests.narrowing import Narrowing
from tests.tiny import tiny_musicgen, tiny_tokenizer

RATE = 32_000
PROMPTS = ["a calm piece", "a happy fast piece with guitar melody"]


@pytest.fixture(scope="module")
def noise() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((2, RATE)).astype(np.float32) * 0.1


@pytest.fixture(scope="module")
def model() -> HookedMusicGen:
    model = HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer())
    return model.to(dtype="float64")


def test_the_model(model: HookedMusicGen, noise: NDArray[np.float32]) -> None:
    with Narrowing() as narrowing:
        codes = model.encode_audio(list(noise))
        model(codes, PROMPTS)
        clip = model.generate(PROMPTS, prefix=codes, seconds=0.2).codes
        assert narrowing.operations == []
        model.decode_audio(clip)
    assert len(narrowing.operations) == 1, "samples are rounded to float32 at the end"


def test_the_judges(tmp_path: Path, noise: NDArray[np.float32]) -> None:
    save_tiny_clap(tmp_path / "clap")
    save_tiny_ast(tmp_path / "tagger")
    clap = Clap.from_pretrained(str(tmp_path / "clap"), dtype="float64", device="cpu")
    tagger = Tagger.from_pretrained(str(tmp_path / "tagger"), dtype="float64", device="cpu")
    with Narrowing() as narrowing:
        clap.embed_audio(list(noise), RATE)
        clap.embed_text(PROMPTS)
        tagger.logits(list(noise), RATE)
    assert narrowing.operations == []


def test_what_narrows_is_seen() -> None:
    with Narrowing() as narrowing:
        x = torch.ones(3, dtype=torch.float64)
        (x * 2).float().sum()
    assert len(narrowing.operations) == 1
