"""Gradients of a loss of the model's own codes, against finite differences in float64."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from leitmotif.musicgen import HookedMusicGen, Intervention
from leitmotif.sae.autoencoder.model import SaeConfig, SparseAutoencoder

WIDTH, SITE = 32, "layers.1.residual"


def _random(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.fixture(scope="module", params=["encoded", "generated"])
def heard(request: pytest.FixtureRequest, exact_model: HookedMusicGen) -> Tensor:
    """Codes as a user has them."""
    if request.param == "encoded":
        return exact_model.encode_audio(_random(6_400, seed=1) / 10)
    return exact_model.generate(seconds=0.2, seed=3).codes


def _loss(model: HookedMusicGen, codes: Tensor, item: Intervention) -> Tensor:
    logits = model(codes, interventions=[item])
    return F.cross_entropy(logits.flatten(0, 2), codes.flatten())


def _check(loss: Callable[[Tensor], Tensor], at: Tensor) -> None:
    vector = at.clone().requires_grad_()
    loss(vector).backward()
    assert vector.grad is not None
    assert vector.grad.abs().max() > 1e-8
    for seed in range(3):
        along = _random(*at.shape, seed=10 + seed)
        step = 1e-5 * along
        difference = float(loss(at + step).detach() - loss(at - step).detach()) / 2e-5
        slope = float((vector.grad * along).sum())
        assert difference == pytest.approx(slope, rel=1e-3, abs=1e-9)


MODES: dict[str, Callable[[Tensor], Intervention]] = {
    "add": lambda v: Intervention(SITE, "add", v),
    "patch": lambda v: Intervention(SITE, "replace", v),
    "part of a patch": lambda v: Intervention(SITE, "replace", v, strength=0.3),
    "scale": lambda v: Intervention(SITE, "scale", v, strength=2.0),
    "project out": lambda v: Intervention(SITE, "project_out", v),
    "steps": lambda v: Intervention(SITE, "add", v, steps=range(2, 6)),
    "function": lambda v: Intervention(SITE, lambda x: x * v),
}


@pytest.mark.parametrize("make", MODES.values(), ids=MODES.keys())
def test_gradients_are_finite_differences(
    exact_model: HookedMusicGen, heard: Tensor, make: Callable[[Tensor], Intervention]
) -> None:
    _check(lambda v: _loss(exact_model, heard, make(v)), _random(WIDTH, seed=2))


@pytest.mark.parametrize("activation", ["relu", "topk", "jumprelu"])
@pytest.mark.parametrize("norm", ["none", "layer_norm", "constant_norm_rescale"])
def test_gradients_flow_through_an_autoencoder(
    exact_model: HookedMusicGen, heard: Tensor, activation: str, norm: str
) -> None:
    sae = SparseAutoencoder(
        SaeConfig(
            d_in=WIDTH, d_sae=64, activation=activation, normalize_activations=norm,
            k=8 if activation == "topk" else None,
        )
    ).double().requires_grad_(False)  # fmt: skip
    for number, parameter in enumerate(sae.parameters()):
        parameter.copy_(_random(*parameter.shape, seed=20 + number) / 8)

    def loss(vector: Tensor) -> Tensor:
        def rebuilt(x: Tensor) -> Tensor:
            flat = (x + vector).reshape(-1, WIDTH)
            return sae.reconstruct(flat)[0].view_as(x)

        return _loss(exact_model, heard, Intervention(SITE, rebuilt))

    _check(loss, _random(WIDTH, seed=2))


def test_what_generation_captures_may_be_used_in_a_loss(exact_model: HookedMusicGen) -> None:
    clip = exact_model.generate("a calm piece", seconds=0.2, seed=3, capture=SITE)
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    for cache in (clip.activations, clip.unconditional):
        (cache[SITE] * scale).square().sum().backward()
    assert scale.grad is not None
    assert exact_model.decode_audio(clip.codes).mul(torch.ones(1, requires_grad=True)).requires_grad


def test_codes_made_in_inference_mode_serve_too(exact_model: HookedMusicGen) -> None:
    with torch.inference_mode():
        codes = exact_model.encode_audio(_random(6_400, seed=1) / 10)
    vector = _random(WIDTH, seed=2).requires_grad_()
    logits = exact_model(codes, interventions=[Intervention(SITE, "add", vector)])
    logits.logsumexp(-1).sum().backward()
    assert vector.grad is not None
