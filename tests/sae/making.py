"""Autoencoders with random weights, their published folder, and activations of known sparsity."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from leitmotif.files import sha256_json
from leitmotif.sae.autoencoder import SaeConfig, SparseAutoencoder
from leitmotif.sae.autoencoder.model import Activation
from leitmotif.store.reading.header import TENSOR, Header, TensorOrigin, address_of
from leitmotif.store.reading.index import IndexRow, file_of
from leitmotif.tables.corpus import Window
from leitmotif.tensors import serialise


def random_sae(
    activation: Activation = "topk",
    *,
    width: int = 8,
    features: int = 64,
    k: int = 5,
    seed: int = 0,
    **settings: Any,
) -> SparseAutoencoder:
    """An autoencoder with untied random weights."""
    random = torch.Generator().manual_seed(seed)
    config = SaeConfig(
        d_in=width,
        d_sae=features,
        activation=activation,
        k=k if activation == "topk" else None,
        **{"metadata": {"model_name": "tiny", "hook_name": "hook_layers.1"}} | settings,
    )
    sae = SparseAutoencoder(config).requires_grad_(False)
    for tensor in sae.parameters():
        tensor.copy_(torch.randn(tensor.shape, generator=random) / tensor.shape[-1] ** 0.5)
    if sae.threshold is not None:
        sae.threshold.abs_().mul_(4)
    return sae


def published_config(layer: int, *, width: int, features: int, k: int) -> dict[str, Any]:
    """What SAELens 5.3.2 wrote into cfg.json of a MusicGen autoencoder."""
    return {
        "architecture": "standard",
        "d_in": width,
        "d_sae": features,
        "dtype": "float32",
        "device": "cuda",
        "model_name": "facebook/musicgen-small",
        "hook_name": f"hook_layers.{layer}",
        "hook_layer": layer,
        "hook_head_index": None,
        "activation_fn": "topk",
        "activation_fn_kwargs": {"k": k},
        "apply_b_dec_to_input": True,
        "finetuning_scaling_factor": False,
        "sae_lens_training_version": "5.3.2",
        "prepend_bos": False,
        "dataset_path": "ManzhenWei/MusicSet",
        "dataset_trust_remote_code": True,
        "context_size": 501,
        "normalize_activations": "none",
        "neuronpedia_id": None,
        "model_from_pretrained_kwargs": {},
        "seqpos_slice": [None],
        "l1_coefficient": 0.0,
        "lp_norm": 1.0,
        "use_ghost_grads": False,
        "normalize_sae_decoder": True,
        "noise_scale": 0.0,
        "decoder_orthogonal_init": False,
        "init_encoder_as_decoder_transpose": True,
        "mse_loss_normalization": None,
        "decoder_heuristic_init": True,
        "scale_sparsity_penalty_by_decoder_norm": False,
        "jumprelu_init_threshold": 0.001,
        "jumprelu_bandwidth": 0.001,
    }


def write_published(folder: Path, sae: SparseAutoencoder, *, layer: int = 1) -> Path:
    """A folder as SAELens 5.3.2 left it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = sae.config
    assert config.k is not None
    values = published_config(layer, width=config.d_in, features=config.d_sae, k=config.k)
    (folder / "cfg.json").write_text(json.dumps(values))
    weights = {name: tensor.contiguous() for name, tensor in sae.state_dict().items()}
    save_file(weights, folder / "sae_weights.safetensors")
    return folder


def sparse_activations(
    rows: int, *, width: int = 16, causes: int = 40, active: int = 3, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Rows [n, d] that are each a positive sum of a few of the causes [causes, d], plus a mean."""
    random = torch.Generator().manual_seed(seed)
    dictionary = torch.nn.functional.normalize(torch.randn(causes, width, generator=random), dim=1)
    chosen = torch.rand(rows, causes, generator=random).argsort(1)[:, :active]
    strengths = 0.5 + torch.rand(rows, active, generator=random)
    x = (dictionary[chosen] * strengths[..., None]).sum(1)
    return x + 0.3 * torch.ones(width), dictionary


def write_track(root: Path, site: str, track_id: str, rows: np.ndarray) -> IndexRow:
    """Put one tensor of activations into a store; its row of the index is still to be written."""
    origin = TensorOrigin(
        model="tiny",
        revision="",
        model_fingerprint="a" * 64,
        site=site,
        track_id=track_id,
        audio_sha256="b" * 64,
        windows=[Window(start_frame=0, frames=len(rows))],
        prompt="",
        text_padding="auto",
        forward_dtype="float32",
        dtype="float32",
        device="cpu",
        versions="none",
        code_version=sha256_json("test"),
    )
    header = Header(
        **origin.model_dump(exclude={"windows"}),
        windows=origin.windows,
        frames=len(rows),
        frame_rate=50,
        hearing_seconds=0.074,
        sample_rate=32_000,
        address=address_of(origin),
    )
    file = serialise({TENSOR: rows.astype(np.float32)}, header.to_metadata())
    file.write(root / file_of(site, track_id))
    return IndexRow(
        site=site,
        track_id=track_id,
        file=file_of(site, track_id),
        bytes=file.bytes,
        sha256=file.sha256,
        shape=(rows.shape[0], rows.shape[1]),
        dtype="float32",
        address=header.address,
    )
