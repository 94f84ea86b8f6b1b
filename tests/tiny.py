"""Real MusicGen classes with random weights, at sizes that tests can afford."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    EncodecConfig,
    EncodecFeatureExtractor,
    MusicgenConfig,
    MusicgenForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
)
from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

from leitmotif.musicgen import HookedMusicGen

PROMPT_WORDS = "a calm happy sad fast slow piece with guitar violin drums melody and"
WORDS = ["<pad>", "</s>", "<unk>", *PROMPT_WORDS.split()]


def tiny_musicgen(
    *,
    seed: int = 0,
    layers: int = 3,
    width: int = 32,
    heads: int = 4,
    mlp_width: int = 64,
    codebook_size: int = 64,
    text_width: int = 24,
    text_layers: int = 1,
    codec_filters: int = 4,
    text_sizes: Mapping[str, Any] | None = None,
    codec_sizes: Mapping[str, Any] | None = None,
    channels: int = 1,
) -> MusicgenForConditionalGeneration:
    """A MusicGen with random weights large enough that attention and guidance matter.

    ``text_sizes`` and ``codec_sizes`` take the place of sizes of T5 and EnCodec.
    """
    torch.manual_seed(seed)
    text = T5Config(**{
        "vocab_size": len(WORDS), "d_model": text_width, "d_kv": 8, "d_ff": 32,
        "num_layers": text_layers, "num_heads": 2, "dropout_rate": 0.0, "pad_token_id": 0,
        "eos_token_id": 1, "decoder_start_token_id": 0, **(text_sizes or {}),
    })  # fmt: skip
    decoder = MusicgenDecoderConfig(
        vocab_size=codebook_size, max_position_embeddings=2048, num_hidden_layers=layers,
        ffn_dim=mlp_width, num_attention_heads=heads, hidden_size=width,
        num_codebooks=4 * channels, audio_channels=channels, dropout=0.0,
        pad_token_id=codebook_size, bos_token_id=codebook_size,
    )  # fmt: skip
    bits = max(1, (codebook_size - 1).bit_length())
    codec = EncodecConfig(**{
        "sampling_rate": 32_000, "audio_channels": 1, "normalize": False, "hidden_size": 16,
        "codebook_dim": 16, "codebook_size": codebook_size, "num_filters": codec_filters,
        "num_residual_layers": 1, "upsampling_ratios": [8, 5, 4, 4], "num_lstm_layers": 1,
        "use_causal_conv": False, "target_bandwidths": [4 * 50 * bits / 1000],
        **(codec_sizes or {}),
    })  # fmt: skip
    model = MusicgenForConditionalGeneration(
        MusicgenConfig(
            text_encoder=text.to_dict(), decoder=decoder.to_dict(), audio_encoder=codec.to_dict()
        )
    )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and not name.startswith("audio_encoder"):
                weight.copy_(torch.randn_like(weight) * 2.0 / weight.shape[-1] ** 0.5)
    generation = model.generation_config
    generation.decoder_start_token_id = generation.pad_token_id = codebook_size
    generation.bos_token_id, generation.eos_token_id = codebook_size, None
    generation.guidance_scale = 3.0
    return model.eval()


@cache
def audible_musicgen() -> HookedMusicGen:
    """The tiny model in float64, with a codec in which different codes sound different."""
    theirs = make_audible(tiny_musicgen())
    return HookedMusicGen.from_transformers(theirs, tiny_tokenizer()).to(dtype="float64")


def make_audible(model: MusicgenForConditionalGeneration) -> MusicgenForConditionalGeneration:
    """Give the codec codebooks in which different codes sound different; new ones hold zeros."""
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in model.audio_encoder.quantizer.layers:
            layer.codebook.embed.copy_(torch.randn(layer.codebook.embed.shape, generator=random))
    return model


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A word tokenizer that ends each prompt with ``</s>``, as T5's does."""
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def save_tiny_checkpoint(folder: Path, **sizes: Any) -> Path:
    """Write a checkpoint that ``from_pretrained`` reads, weights in safetensors."""
    return save_checkpoint(tiny_musicgen(**sizes), folder)


def save_checkpoint(model: MusicgenForConditionalGeneration, folder: Path) -> Path:
    """Write a model with the tiny tokenizer, as a hub repository holds it."""
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    EncodecFeatureExtractor(sampling_rate=32_000).save_pretrained(folder)
    return folder


def their_tokens(model: MusicgenForConditionalGeneration, **inputs: object) -> torch.Tensor:
    """Codes [B, K, T] that `transformers`' own ``generate`` makes (it returns audio only)."""
    made = []
    decode = model.audio_encoder.decode

    def listen(codes: torch.Tensor, *args: object, **kwargs: object) -> object:
        made.append(codes[0])
        return decode(codes, *args, **kwargs)

    model.audio_encoder.decode = listen
    try:
        model.generate(**inputs)
    finally:
        del model.audio_encoder.decode
    return made[0]
