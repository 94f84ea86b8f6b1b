"""What is read of a target and how far it moves, against the plain formula."""

import pytest
import torch

from leitmotif.causal.experiment.targets import Coordinates, SaeFeatures, Target, WholeSite
from leitmotif.errors import ModelError
from tests.sae.making import random_sae

X = torch.randn(2, 7, 8, generator=torch.Generator().manual_seed(1))
REST = torch.linspace(-1, 1, 8)


def targets() -> list[Target]:
    return [
        SaeFeatures(random_sae(), (3, 40), "tiny", "0" * 64),
        SaeFeatures(random_sae("jumprelu"), (3,), "tiny", "0" * 64),
        Coordinates("hook_layers.1", (0, 5), REST[[0, 5]]),
        WholeSite("layers.1.residual", REST),
    ]


@pytest.mark.parametrize("target", targets())
def test_no_change_leaves_every_bit(target: Target) -> None:
    read = target.read(X)
    assert torch.equal(target.moved(X, 1.0 * read - read), X)


@pytest.mark.parametrize("target", targets()[2:])
def test_ablation_takes_linear_targets_to_rest(target: Target) -> None:
    gone = target.moved(X, -target.read(X))
    torch.testing.assert_close(target.read(gone), torch.zeros_like(target.read(X)))


def test_reading_is_what_the_autoencoder_encodes() -> None:
    sae = random_sae()
    dense = sae.encode(X.reshape(-1, 8)).dense(64).view(2, 7, 64)
    every = SaeFeatures(sae, tuple(range(64)), "tiny", "0" * 64)
    assert torch.equal(every.read(X), dense)
    assert torch.equal(SaeFeatures(sae, (9, 2), "tiny", "0" * 64).read(X), dense[..., [9, 2]])


@pytest.mark.parametrize("kind", ["none", "layer_norm", "constant_norm_rescale"])
def test_ablating_all_features_leaves_the_error_and_the_bias(kind: str) -> None:
    """x less its reconstruction, plus what the autoencoder makes of no features at all."""
    sae = random_sae(normalize_activations=kind)
    flat = X.reshape(-1, 8) + 2.0
    every = SaeFeatures(sae, tuple(range(64)), "tiny", "0" * 64)
    gone = every.moved(flat, -every.read(flat))
    rebuilt, _ = sae.reconstruct(flat)
    sae.b_enc.fill_(-1e6)
    nothing, none_active = sae.reconstruct(flat)
    assert not len(none_active.values)
    torch.testing.assert_close(gone, flat - rebuilt + nothing, atol=1e-5, rtol=1e-5)


def test_what_is_not_finite_stays_so_and_harms_no_other_row() -> None:
    target = SaeFeatures(random_sae(), (3, 40), "tiny", "0" * 64)
    broken = X.clone()
    broken[0, 0, 0] = float("nan")
    moved = target.moved(broken, -target.read(broken))
    assert moved[0, 0, 0].isnan()
    assert torch.equal(moved[1], target.moved(X, -target.read(X))[1])


def test_descriptions_tell_constants_apart() -> None:
    first, second = (Coordinates("layers.1.residual", (2,), torch.tensor([v])) for v in (0.0, 1.0))
    assert first.describe()["constants"] != second.describe()["constants"]
    assert first.describe()["feature"] == 2
    assert SaeFeatures(random_sae(), (3, 4), "tiny", "0" * 64).describe()["feature"] == [3, 4]


def test_features_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ModelError, match=r"0\.\.63"):
        SaeFeatures(random_sae(), (64,), "tiny", "0" * 64)
    with pytest.raises(ModelError, match="distinct"):
        Coordinates("layers.1.residual", (1, 1), REST[:2])
    with pytest.raises(ModelError, match="lacks a coordinate"):
        Coordinates("layers.1.residual", (8,), REST[:1]).read(X)
    with pytest.raises(ModelError, match="2 finite"):
        Coordinates("layers.1.residual", (1, 2), REST[:1])
