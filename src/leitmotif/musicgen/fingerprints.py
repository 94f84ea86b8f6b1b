"""Hashes that say whether two models, or two codecs, are the same."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict

import torch
from torch import Tensor, nn

from leitmotif.musicgen.codec import Codec
from leitmotif.musicgen.model import DecoderConfig

_DECIDES_NOTHING = {"_name_or_path", "architectures", "dtype", "transformers_version"}
"""Settings of a codec that may differ where its codes do not; its precision is not its file's."""


def fingerprint(parts: Iterable[nn.Module], config: DecoderConfig) -> str:
    """SHA-256 of a model's sizes and of every weight's name, type, shape and bytes (64 hex).

    Weights of float32 that stand in float64 are the same weights, and have the same hash.
    """
    sizes = asdict(config)
    if sizes["channels"] == 1:  # mono models keep the fingerprint they had before stereo ones
        del sizes["channels"]
    return _fingerprint(parts, sizes)


def codec_fingerprint(codec: Codec) -> str:
    """SHA-256 of a codec's settings and weights (64 hex): equal ones give equal codes."""
    settings = codec.encodec.config.to_dict()
    decides = {name: settings[name] for name in settings.keys() - _DECIDES_NOTHING}
    stereo = {"channels": codec.channels} if codec.channels > 1 else {}
    return _fingerprint([codec], {**decides, "codebooks": codec.codebooks, **stereo})


def _fingerprint(parts: Iterable[nn.Module], settings: Mapping[str, object]) -> str:
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for number, part in enumerate(parts):
        for name, stored in sorted(part.state_dict().items()):
            tensor = _narrowest(stored)
            digest.update(f"{number}.{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(flat.numpy().data)
    return digest.hexdigest()


def _narrowest(tensor: Tensor) -> Tensor:
    """Float64 that float32 holds without loss as float32; any other tensor as it is."""
    if tensor.dtype != torch.float64:
        return tensor
    narrow = tensor.float()
    return narrow if torch.equal(narrow.double(), tensor) else tensor
