import pytest
import torch
from transformers import MusicgenForConditionalGeneration

from leitmotif.musicgen import HookedMusicGen
from tests.tiny import tiny_musicgen, tiny_tokenizer


@pytest.fixture(scope="session")
def theirs() -> MusicgenForConditionalGeneration:
    return tiny_musicgen()


@pytest.fixture(scope="session")
def model(theirs: MusicgenForConditionalGeneration) -> HookedMusicGen:
    return HookedMusicGen.from_transformers(theirs, tiny_tokenizer())


@pytest.fixture(scope="session")
def exact_model() -> HookedMusicGen:
    """The same weights in float64, where the batch's shape moves logits by 1e-14 and no token."""
    model = HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer())
    return model.to(dtype="float64")


@pytest.fixture
def codes() -> torch.Tensor:
    """Codes [2, 4, 20] of the tiny model."""
    return torch.randint(64, (2, 4, 20), generator=torch.Generator().manual_seed(5))
