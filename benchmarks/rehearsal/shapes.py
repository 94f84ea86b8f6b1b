"""Sizes of the models, published and small."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SITES = (1, 5, 11, 17, 21)
"""Blocks of MusicGen small with published autoencoders, counted from 0 (arXiv 2505.18186)."""


@dataclass(frozen=True)
class Shapes:
    """Sizes of MusicGen, the autoencoders and the judges; the layout is always the published one.

    Each mapping holds the arguments of the function that makes such a model for the tests.
    """

    musicgen: Mapping[str, Any]
    width: int
    """Of the residual stream."""
    features: int
    """Of an autoencoder."""
    k: int
    """Features that are active in a row."""
    clap: Mapping[str, Any] = field(default_factory=dict)
    tagger: Mapping[str, Any] = field(default_factory=dict)


PUBLISHED = Shapes(
    musicgen={
        "layers": 24,
        "width": 1024,
        "heads": 16,
        "mlp_width": 4096,
        "codebook_size": 2048,
        "text_sizes": {
            "vocab_size": 32_128,
            "d_model": 768,
            "d_kv": 64,
            "d_ff": 3072,
            "num_layers": 12,
            "num_heads": 12,
        },
        "codec_sizes": {
            "hidden_size": 128,
            "codebook_dim": 128,
            "num_filters": 64,
            "num_lstm_layers": 2,
            "use_conv_shortcut": False,
            "target_bandwidths": [2.2],
        },
    },
    width=1024,
    features=32_768,
    k=100,
    clap={
        "audio_sizes": {
            "depths": [2, 2, 12, 2],
            "num_attention_heads": [4, 8, 16, 32],
            "patch_embeds_hidden_size": 128,
            "hidden_size": 1024,
        },
        "text_sizes": {
            "hidden_size": 768,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
            "max_position_embeddings": 514,
        },
        "width": 512,
    },
    tagger={
        "seconds": 10.24,
        "sizes": {
            "hidden_size": 768,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
        },
    },
)
"""Of facebook/musicgen-small, its five autoencoders, laion/larger_clap_general and MIT's AST."""

SMALL = Shapes(
    musicgen={"layers": 24, "width": 32, "heads": 4, "mlp_width": 64}, width=32, features=256, k=8
)
"""As many blocks, each a thousandth in size."""

SHAPES = {"published": PUBLISHED, "small": SMALL}
