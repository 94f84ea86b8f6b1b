"""CLAP and AST with random weights, laid out like the published checkpoints, but small."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapProcessor,
    RobertaTokenizer,
)

SENTENCES = [
    "a calm piano piece",
    "loud rock music with electric guitars",
    "a dog barking",
    "rain",
    "jazz",
]
LABELS = ["Music", "Guitar", "Violin, fiddle", "Piano", "Rock music", "Jazz", "Silence"]


def save_tiny_clap(
    folder: Path,
    *,
    fused: bool = False,
    collapsed: bool = False,
    audio_sizes: Mapping[str, Any] | None = None,
    text_sizes: Mapping[str, Any] | None = None,
    width: int = 24,
) -> Path:
    """Write a ClapModel as LAION's repositories hold it: 48 kHz, 10 s, RoBERTa's tokenizer.

    The sizes take the place of tiny ones; ``width`` is that of the embeddings.
    """
    torch.manual_seed(3)
    tokenizer = _roberta_tokenizer(folder)
    audio = {
        "depths": [1, 1], "num_attention_heads": [2, 2], "patch_embeds_hidden_size": 16,
        "hidden_size": 32, "enable_fusion": fused, "fusion_type": "aff_2d" if fused else None,
        "aff_block_r": 2, **(audio_sizes or {}),
    }  # fmt: skip
    text = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 66,
        **(text_sizes or {}),
    }  # fmt: skip
    config = ClapConfig(audio_config=audio, text_config=text, projection_dim=width)
    model = ClapModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=2.0 / parameter.shape[-1] ** 0.5)
        if collapsed:
            model.text_projection.linear2.weight.zero_()
            model.text_projection.linear2.bias.fill_(1.0)
    model.save_pretrained(folder)
    extractor = ClapFeatureExtractor(
        frequency_min=50, truncation="fusion" if fused else "rand_trunc"
    )
    ClapProcessor(extractor, tokenizer).save_pretrained(folder)
    extractor.save_pretrained(folder)  # under the name that older repositories have
    return folder


def _roberta_tokenizer(folder: Path) -> RobertaTokenizer:
    folder.mkdir(parents=True, exist_ok=True)
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(
        SENTENCES,
        vocab_size=400,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        show_progress=False,
    )
    trained.save_model(str(folder))
    return RobertaTokenizer.from_pretrained(folder, model_max_length=64)


def save_tiny_ast(
    folder: Path,
    *,
    labels: list[str] | None = None,
    seconds: float = 2.0,
    sizes: Mapping[str, Any] | None = None,
) -> Path:
    """Write an ASTForAudioClassification as MIT's repository holds it: 16 kHz, 128 mel bands.

    ``sizes`` take the place of tiny ones.
    """
    torch.manual_seed(4)
    names = LABELS if labels is None else labels
    frames = round(100 * seconds)
    config = ASTConfig(**{
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 64, "max_length": frames, "id2label": dict(enumerate(names)),
        "label2id": {name: number for number, name in enumerate(names)}, **(sizes or {}),
    })  # fmt: skip
    model = ASTForAudioClassification(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=2.0 / parameter.shape[-1] ** 0.5)
    model.save_pretrained(folder)
    ASTFeatureExtractor(max_length=frames).save_pretrained(folder)
    return folder
