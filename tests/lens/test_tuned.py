"""Translators: exact where the map is affine, no worse than the plain lens, and the same twice."""

import pytest
import torch
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.lens import tuned as module
from leitmotif.lens.tuned import (
    Translator,
    Tuning,
    divergence,
    fit_bytes,
    fit_translator,
    predicted,
)
from leitmotif.musicgen import HookedMusicGen
from leitmotif.plan.sizes import PUBLISHED
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


@pytest.mark.parametrize("clips", [1, 5])
def test_parts_give_the_same_map(
    clips: int, model: HookedMusicGen, residuals: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    within, tuning = predicted(model, FRAMES), Tuning(steps=5)
    whole = fit_translator(model, residuals[0], residuals[-1], within, tuning)
    nats = divergence(model, residuals[0], residuals[-1], within, whole)
    each = len(within) * model.codebooks * model.codebook_size
    monkeypatch.setattr(module, "LOGITS", clips * each)
    parts = fit_translator(model, residuals[0], residuals[-1], within, tuning)
    assert torch.allclose(parts.weight, whole.weight, rtol=0, atol=1e-14)
    assert torch.allclose(parts.bias, whole.bias, rtol=0, atol=1e-14)
    again = divergence(model, residuals[0], residuals[-1], within, whole)
    assert torch.allclose(again, nats, rtol=0, atol=1e-14)


def test_a_fit_at_real_size_is_bounded() -> None:
    # The logits of 100 clips of 4 s, with all that gradients need, would be 8 GB at once.
    for name, most in (("small", 2.6e9), ("medium", 3.0e9), ("large", 3.3e9)):
        config = PUBLISHED[f"facebook/musicgen-{name}"]
        assert fit_bytes(config, 100, 203, 4) < most
