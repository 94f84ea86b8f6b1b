"""What an autoencoder computes, against plain dense definitions."""

import pytest
import torch

from leitmotif.errors import ModelError
from leitmotif.sae.autoencoder import Codes, SaeConfig, SparseAutoencoder
from leitmotif.sae.autoencoder import model as module
from tests.sae.making import random_sae


def dense_encoding(sae: SparseAutoencoder, x: torch.Tensor) -> torch.Tensor:
    pre = (x - sae.b_dec) @ sae.W_enc + sae.b_enc
    if sae.config.k is not None:
        kept = torch.zeros_like(pre)
        top = pre.topk(sae.config.k, dim=1)
        return kept.scatter(1, top.indices, top.values).relu()
    if sae.threshold is not None:
        return pre.relu() * (pre > sae.threshold)
    return pre.relu()


@pytest.mark.parametrize("activation", ["relu", "topk", "jumprelu"])
def test_sparse_and_dense_encodings_agree(activation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sae = random_sae(activation)
    x = torch.randn(37, 8, generator=torch.Generator().manual_seed(1))
    expected = dense_encoding(sae, x)
    monkeypatch.setattr(module, "CHUNK_VALUES", 10 * 64)  # four chunks, the last one short
    codes = sae.encode(x)
    torch.testing.assert_close(codes.dense(64), expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(codes.l0, (expected > 0).sum(1))
    rebuilt, again = sae.reconstruct(x)
    torch.testing.assert_close(rebuilt, expected @ sae.W_dec + sae.b_dec, atol=1e-5, rtol=1e-5)
    assert torch.equal(again.values, codes.values)
    assert torch.equal(again.indices, codes.indices)
    if activation == "topk":
        assert int(codes.l0.max()) <= 5


def test_features_are_taken_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    sae = random_sae(features=500, k=40)
    x = torch.randn(50, 8, generator=torch.Generator().manual_seed(1))
    whole = sae.encode(x)
    monkeypatch.setattr(module, "BLOCK", 64)  # eight blocks, the last one short
    monkeypatch.setattr(module, "CHUNK_VALUES", 20 * 64)  # of 20 rows
    codes = sae.encode(x)
    assert torch.equal(codes.indices, whole.indices)
    assert torch.equal(codes.offsets, whole.offsets)
    torch.testing.assert_close(codes.values, whole.values, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", ["layer_norm", "constant_norm_rescale"])
def test_normalisation_is_undone(kind: str) -> None:
    """With an encoder and decoder that pass everything, the input comes back."""
    config = SaeConfig(d_in=4, d_sae=8, activation="relu", normalize_activations=kind)
    sae = SparseAutoencoder(config).requires_grad_(False)
    identity = torch.eye(4)
    sae.W_enc.copy_(torch.cat([identity, -identity], dim=1))
    sae.W_dec.copy_(sae.W_enc.T)
    x = 5 * torch.randn(6, 4, generator=torch.Generator().manual_seed(0)) + 2
    rebuilt, codes = sae.reconstruct(x)
    torch.testing.assert_close(rebuilt, x, atol=1e-3, rtol=1e-3)
    scaled = sae.encode(10 * x)
    torch.testing.assert_close(scaled.values, codes.values, atol=1e-3, rtol=1e-3)


def test_a_row_without_features_decodes_to_the_bias() -> None:
    sae = random_sae("jumprelu")
    assert sae.threshold is not None
    sae.threshold.fill_(1e9)
    rebuilt, codes = sae.reconstruct(torch.randn(3, 8))
    assert codes.l0.tolist() == [0, 0, 0]
    torch.testing.assert_close(rebuilt, sae.b_dec.expand(3, -1))


def test_no_rows_give_no_codes() -> None:
    codes = random_sae().encode(torch.empty(0, 8))
    assert isinstance(codes, Codes)
    assert codes.rows == 0


def test_other_widths_and_values_are_refused() -> None:
    sae = random_sae()
    with pytest.raises(ModelError, match=r"\(3, 9\)"):
        sae.encode(torch.zeros(3, 9))
    with pytest.raises(ModelError, match="not finite"):
        sae.encode(torch.full((2, 8), float("nan")))


@pytest.mark.parametrize(("activation", "k"), [("topk", None), ("relu", 5), ("topk", 65)])
def test_k_belongs_to_top_k(activation: str, k: int | None) -> None:
    with pytest.raises(ValueError, match="k="):
        SaeConfig(d_in=8, d_sae=64, activation=activation, k=k)


def test_the_declared_site_is_canonical() -> None:
    assert random_sae().config.site == "layers.1.residual"
    unnamed = random_sae(metadata={"hook_name": "blocks.5.hook_attn"})
    with pytest.raises(ModelError, match=r"blocks\.5"):
        _ = unnamed.config.site
