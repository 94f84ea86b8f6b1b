"""The judges to be trained: the classes of the published checkpoints, three orders smaller."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tokenizers import ByteLevelBPETokenizer
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapProcessor,
    PreTrainedTokenizerBase,
    RobertaTokenizer,
)

CONTEXT_SECONDS = 4
"""What each judge hears at once; longer clips are judged window by window."""
SPECIAL_TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
VOCABULARY = 400
TEXT_POSITIONS = 64


class TaggerShape(NamedTuple):
    """In what one tagger differs from the other."""

    bands: int
    """Of its spectra."""
    width: int
    blocks: int


TAGGERS = {
    "tagger": TaggerShape(bands=64, width=96, blocks=4),
    "second_tagger": TaggerShape(bands=48, width=128, blocks=2),
}


def tagger_extractor(shape: TaggerShape) -> ASTFeatureExtractor:
    """As published (16 kHz, 25 ms every 10 ms) with fewer bands and 4 s instead of 10.24."""
    return ASTFeatureExtractor(num_mel_bins=shape.bands, max_length=100 * CONTEXT_SECONDS)


def build_tagger(shape: TaggerShape, labels: Sequence[str]) -> ASTForAudioClassification:
    """An untrained tagger; draws from torch's global generator."""
    config = ASTConfig(
        hidden_size=shape.width,
        num_hidden_layers=shape.blocks,
        num_attention_heads=4,
        intermediate_size=4 * shape.width,
        frequency_stride=16,
        time_stride=16,
        max_length=100 * CONTEXT_SECONDS,
        num_mel_bins=shape.bands,
        layer_norm_eps=1e-6,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        problem_type="multi_label_classification",
    )
    return ASTForAudioClassification(config)


def clap_extractor() -> ClapFeatureExtractor:
    """As published (48 kHz, 64 bands every 10 ms, repeated to fill), but for 4 s instead of 10.

    Longer spectra (43 ms, not 21) and bands up to 8 kHz resolve the semitone that moods differ by.
    """
    return ClapFeatureExtractor(
        max_length_s=CONTEXT_SECONDS,
        fft_window_size=2048,
        frequency_min=50,
        frequency_max=8_000,
        truncation="rand_trunc",
        padding="repeatpad",
    )


def build_clap(tokenizer: PreTrainedTokenizerBase) -> ClapModel:
    """An untrained CLAP; draws from torch's global generator."""
    audio = {
        "patch_size": 16,
        "patch_stride": [16, 16],
        "patch_embeds_hidden_size": 56,
        "depths": [2, 2],
        "num_attention_heads": [4, 8],
        "hidden_size": 112,
        "hidden_dropout_prob": 0.0,
    }
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 192,
        "max_position_embeddings": TEXT_POSITIONS + 2,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    return ClapModel(ClapConfig(audio_config=audio, text_config=text, projection_dim=96))


def build_tokenizer(sentences: Sequence[str]) -> RobertaTokenizer:
    """RoBERTa's byte-level tokenizer with merges learnt from ``sentences``; it reads any text."""
    trained = ByteLevelBPETokenizer(add_prefix_space=True)
    trained.train_from_iterator(
        sentences, vocab_size=VOCABULARY, special_tokens=SPECIAL_TOKENS, show_progress=False
    )
    with tempfile.TemporaryDirectory() as folder:
        trained.save_model(folder)
        return RobertaTokenizer.from_pretrained(
            folder, add_prefix_space=True, model_max_length=TEXT_POSITIONS
        )


def save_tagger(model: ASTForAudioClassification, shape: TaggerShape, folder: Path) -> None:
    """Write all that ``from_pretrained`` needs, the weights in float16."""
    model.half().save_pretrained(folder)
    tagger_extractor(shape).save_pretrained(folder)


def save_clap(model: ClapModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write all that ``from_pretrained`` needs, the weights in float16."""
    model.half().save_pretrained(folder)
    extractor = clap_extractor()
    ClapProcessor(extractor, tokenizer).save_pretrained(folder)
    extractor.save_pretrained(folder)
