"""Random weights in the shapes of models that are not on this machine, for timing alone."""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from leitmotif.musicgen.checkpoint import Parts
from leitmotif.musicgen.codec import Codec
from leitmotif.musicgen.hooked import HookedMusicGen
from leitmotif.musicgen.model import Decoder, DecoderConfig
from leitmotif.musicgen.text import TextEncoder

_SPREAD = 0.02
"""Standard deviation of the weights."""


def musicgen_of(config: DecoderConfig, *, blocks: int) -> HookedMusicGen:
    """A MusicGen of these sizes with so few blocks; its text encoder is a token of one.

    The codec has the published sizes of EnCodec at 32 kHz.
    """
    generator = torch.Generator().manual_seed(0)
    decoder = Decoder(replace(config, layers=blocks))
    with torch.no_grad():
        for weight in decoder.parameters():
            if weight.dim() > 1:
                weight.normal_(0.0, _SPREAD, generator=generator)
    books = torch.arange(config.codebooks)[:, None]
    decoder.codebook_offsets = books * (config.codebook_size + 1)
    return HookedMusicGen(Parts(decoder, _text(config.width), _codec(config), guidance_scale=3.0))


def clap_audio() -> tuple[nn.Module, torch.Tensor]:
    """The audio half of a CLAP of the sizes of HTSAT-base, and the spectrogram of one window."""
    from transformers import ClapAudioConfig
    from transformers.models.clap.modeling_clap import ClapAudioModel

    config = ClapAudioConfig(
        hidden_size=1024,
        patch_embeds_hidden_size=128,
        depths=[2, 2, 12, 2],
        num_attention_heads=[4, 8, 16, 32],
    )
    return ClapAudioModel(config).eval(), torch.zeros(1, 1, 1001, 64)


def tagger() -> tuple[nn.Module, torch.Tensor]:
    """An AST of the published sizes, and the spectrogram of one clip."""
    from transformers import ASTConfig, ASTForAudioClassification

    return ASTForAudioClassification(ASTConfig(num_labels=527)).eval(), torch.zeros(1, 1024, 128)


def _text(width: int) -> TextEncoder:
    from transformers import T5Config, T5EncoderModel

    config = T5Config(vocab_size=8, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    return TextEncoder(None, T5EncoderModel(config), nn.Linear(8, width), "masked")


def _codec(config: DecoderConfig) -> Codec:
    from transformers import EncodecConfig, EncodecModel

    bits = (config.codebook_size - 1).bit_length()
    values: dict[str, Any] = {
        "sampling_rate": 32_000,
        "audio_channels": 1,
        "normalize": False,
        "hidden_size": 128,
        "codebook_dim": 128,
        "codebook_size": config.codebook_size,
        "num_filters": 64,
        "num_residual_layers": 1,
        "upsampling_ratios": [8, 5, 4, 4],
        "num_lstm_layers": 2,
        "use_causal_conv": False,
        "use_conv_shortcut": False,
        "target_bandwidths": [config.codebooks * 50 * bits / 1000],
    }
    return Codec(EncodecModel(EncodecConfig(**values)), config.codebooks)
