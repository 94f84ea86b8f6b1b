"""Translators: exact where the map is affine, no worse than the plain lens, and the same twice."""

import pytest
import torch
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.lens.tuned import Translator, Tuning, divergence, fit_translator, predicted
from leitmotif.musicgen import HookedMusicGen
from tests.tiny import tiny_musicgen, tiny_tokenizer

FRAMES = 16


@pytest.fixture(scope="module")
def model() -> HookedMusicGen:
    return HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer()).to(dtype="float64")


@pytest.fixture(scope="module")
def residuals(model: HookedMusicGen) -> list[Tensor]:
    """Of each layer, in 12 random clips."""
    codes = torch.randint(64, (12, 4, FRAMES), generator=torch.Generator().manual_seed(2))
    _, cache = model.run_with_cache(codes)
    return [cache[f"layers.{layer}.residual"] for layer in range(model.num_layers)]


def test_every_frame_of_every_codebook_is_predicted_once(model: HookedMusicGen) -> None:
    within = predicted(model, FRAMES)
    assert within.sum(0).tolist() == [FRAMES] * model.codebooks
    assert within[0].tolist() == [True, False, False, False]
    assert within[-1].tolist() == [False, False, False, True]


def test_the_last_layer_says_what_the_model_says(
    model: HookedMusicGen, residuals: list[Tensor]
) -> None:
    within = predicted(model, FRAMES)
    nats = divergence(model, residuals[-1], residuals[-1], within)
    assert nats.shape == (12, model.codebooks)
    assert torch.equal(nats, torch.zeros_like(nats))
    identity = Translator(torch.eye(model.width).double(), torch.zeros(model.width).double())
    assert torch.equal(divergence(model, residuals[-1], residuals[-1], within, identity), nats)


def test_a_divergence_is_that_of_the_logits(model: HookedMusicGen, residuals: list[Tensor]) -> None:
    within = predicted(model, FRAMES)
    nats = divergence(model, residuals[0], residuals[-1], within)
    p, q = (
        model.logits_from(residuals[layer], model.num_layers).log_softmax(-1) for layer in (-1, 0)
    )
    each = (p.exp() * (p - q)).sum(-1)
    for book in range(model.codebooks):
        expected = each[:, within[:, book], book].mean(1)
        assert torch.allclose(nats[:, book], expected, atol=1e-12)


def test_a_layer_that_is_the_last_one_turned_and_moved_is_read_exactly(
    model: HookedMusicGen, residuals: list[Tensor]
) -> None:
    random = torch.Generator().manual_seed(1)
    turned = torch.linalg.qr(torch.randn(model.width, model.width, generator=random).double()).Q
    x = residuals[-1] @ turned + 3.0
    within = predicted(model, FRAMES)
    fitted = fit_translator(model, x[:8], residuals[-1][:8], within, Tuning(penalty=1e-9, steps=0))
    plain, tuned = (divergence(model, x[8:], residuals[-1][8:], within, t) for t in (None, fitted))
    assert float(plain.mean()) > 1e-3
    assert float(tuned.mean()) < 1e-9


def test_on_other_clips_a_tuned_lens_is_nearer_to_the_model_than_the_plain_one(
    model: HookedMusicGen, residuals: list[Tensor]
) -> None:
    within = predicted(model, FRAMES)
    first, last = residuals[0], residuals[-1]
    least = fit_translator(model, first[:8], last[:8], within, Tuning(penalty=0.1, steps=0))
    fitted = fit_translator(model, first[:8], last[:8], within, Tuning(penalty=0.1, steps=30))
    plain, squares, tuned = (
        float(divergence(model, first[8:], last[8:], within, t).mean())
        for t in (None, least, fitted)
    )
    assert squares < plain
    assert tuned < plain
    seen = [
        float(divergence(model, first[:8], last[:8], within, t).mean()) for t in (least, fitted)
    ]
    assert seen[1] < seen[0]


def test_the_same_activations_give_the_same_translator(
    model: HookedMusicGen, residuals: list[Tensor]
) -> None:
    within = predicted(model, FRAMES)
    one, other = (
        fit_translator(model, residuals[0], residuals[-1], within, Tuning(steps=3))
        for _ in range(2)
    )
    assert torch.equal(one.weight, other.weight)
    assert torch.equal(one.bias, other.bias)


def test_the_heads_stay_as_they_are(model: HookedMusicGen, residuals: list[Tensor]) -> None:
    before = model.fingerprint
    fit_translator(model, residuals[0], residuals[-1], predicted(model, FRAMES), Tuning(steps=2))
    assert model.fingerprint == before
    assert all(p.grad is None for p in model.decoder.parameters())


def test_layers_that_do_not_agree_are_refused(
    model: HookedMusicGen, residuals: list[Tensor]
) -> None:
    with pytest.raises(ModelError, match="do not agree"):
        divergence(model, residuals[0][:, 1:], residuals[1], predicted(model, FRAMES))
