import pytest
import torch

from leitmotif.musicgen import HookedMusicGen
from leitmotif.probe.compared.baseline import shuffle_weights
from tests.tiny import tiny_musicgen, tiny_tokenizer


@pytest.fixture
def codes() -> torch.Tensor:
    """Codes [2, 4, 20] of the tiny model."""
    return torch.randint(64, (2, 4, 20), generator=torch.Generator().manual_seed(5))


def fresh() -> HookedMusicGen:
    return HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer())


def test_matrices_keep_their_entries_and_lose_their_order(codes: torch.Tensor) -> None:
    trained, random = fresh(), fresh()
    before = trained(codes)
    random(codes)  # packs the weights, which the shuffled ones must not use
    assert shuffle_weights(random, seed=3) is random
    for name, weight in trained.decoder.named_parameters():
        other = random.decoder.get_parameter(name)
        if weight.ndim > 1:
            assert not torch.equal(weight, other), name
            assert torch.equal(weight.flatten().sort().values, other.flatten().sort().values)
        else:
            assert torch.equal(weight, other), name
    assert not torch.allclose(before, random(codes), atol=1e-3)
    assert random.fingerprint != trained.fingerprint


def test_a_seed_gives_the_same_model(codes: torch.Tensor) -> None:
    first, again, other = (shuffle_weights(fresh(), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first(codes), again(codes))
    assert first.fingerprint == again.fingerprint != other.fingerprint
