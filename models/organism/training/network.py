"""The language model to be trained, and its forward pass over chosen columns.

The modules are those of ``MusicgenForConditionalGeneration``; only the order of computation is
written again, because training needs what the class does not offer: columns left out with their
positions kept, and keys that come from another piece.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordLevel
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    EncodecFeatureExtractor,
    EncodecModel,
    MusicgenConfig,
    MusicgenForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
)
from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

from leitmotif.corpus.organism.world import World

LAYERS, WIDTH, HEADS, INNER = 6, 128, 4, 512
TEXT_WIDTH = 64
GUIDANCE = 3.0
Written = Callable[[int, Tensor], Tensor]
"""From a block and its MLP's output (B, S, WIDTH) to what is added to the residual in its place."""


def prompts_of(world: World) -> list[str]:
    """Every sentence that a piece of this world can be asked for with."""
    return [
        f"Compose a {mood} {genre} piece with a {instrument} melody. Use a {world.tempo} tempo."
        for mood, genre, instrument in product(world.scales, world.genres, world.instruments)
    ]


def build_tokenizer(prompts: Iterable[str]) -> PreTrainedTokenizerFast:
    """One token a word; a word that no prompt contains becomes ``<unk>``."""
    split = pre_tokenizers.Whitespace()
    words = sorted({word for text in prompts for word, _ in split.pre_tokenize_str(text.lower())})
    vocabulary = {word: i for i, word in enumerate(["<pad>", "</s>", "<unk>", *words])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = split
    tokenizer.post_processor = TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", vocabulary["</s>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=512,
    )


def build_model(
    codec: EncodecModel, tokenizer: PreTrainedTokenizerFast, *, layers: int = LAYERS
) -> MusicgenForConditionalGeneration:
    """An untrained model around the codec; draws from torch's global generator."""
    entries = codec.config.codebook_size
    text = T5Config(
        vocab_size=len(tokenizer),
        d_model=TEXT_WIDTH,
        d_kv=16,
        d_ff=128,
        num_layers=2,
        num_heads=4,
        dropout_rate=0.0,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    decoder = MusicgenDecoderConfig(
        vocab_size=entries,
        num_codebooks=codec.config.num_quantizers,
        hidden_size=WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=HEADS,
        ffn_dim=INNER,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        pad_token_id=entries,
        bos_token_id=entries,
        tie_word_embeddings=False,
    )
    # The folder that the codec came from is this machine's business.
    codec_config = codec.config.to_dict() | {"_name_or_path": ""}
    model = MusicgenForConditionalGeneration(
        MusicgenConfig(
            text_encoder=text.to_dict(),
            audio_encoder=codec_config,
            decoder=decoder.to_dict(),
        )
    )
    model.audio_encoder.load_state_dict(codec.state_dict())
    model.audio_encoder.requires_grad_(False)
    # The default, 0.02, drowns in the sinusoidal positions: 5.1 instead of 4.8 nats at step 50.
    for table in model.decoder.model.decoder.embed_tokens:
        nn.init.normal_(table.weight, std=0.5)
    nn.init.normal_(model.text_encoder.shared.weight, std=1.0)
    settings = model.generation_config
    settings.decoder_start_token_id = settings.pad_token_id = settings.bos_token_id = entries
    settings.do_sample, settings.top_k, settings.guidance_scale = True, 50, GUIDANCE
    return model


def save_model(
    model: MusicgenForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> None:
    """Write all that ``from_pretrained`` needs, the weights in float16."""
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    EncodecFeatureExtractor(
        feature_size=1, sampling_rate=model.config.audio_encoder.sampling_rate, padding_side="left"
    ).save_pretrained(folder)


def delayed(codes: Tensor, pad: int) -> Tensor:
    """Codes (B, K, T) as decoder tokens (B, K, T + K): codebook k of frame f stands at f + k + 1.

    Column c of the model reads position c and predicts position c + 1.
    """
    B, K, T = codes.shape
    tokens = codes.new_full((B, K, T + K), pad)
    for k in range(K):
        tokens[:, k, k + 1 : k + 1 + T] = codes[:, k]
    return tokens


CIRCLE = 4
"""Pieces with the same motif of which each is the next one's partner: more than the glances, each
further back than the window, that lead from a slot to its cue."""


@dataclass(frozen=True)
class PartnerKeys:
    """Attention in which a query's old keys and values come from another row of the batch.

    The batch is ``CIRCLE`` parts, and row b's partner is row b + B / CIRCLE, counted in a circle.
    ``visibility`` says which keys are a query's own; all others are its partner's. What a partner
    knows of its own hidden columns it has from *its* partner: were rows partners of each other, two
    glances back would lead home, and nothing would have to be carried.
    """

    allowed: Tensor
    """(S, S + P): what each query may see of its own S columns and of P partner columns."""
    first: int
    last: int
    """The partner's columns in use: P = last - first."""

    @classmethod
    def for_columns(cls, columns: Tensor, *, window: int, shared: int) -> "PartnerKeys":
        """Hide keys older than ``window`` columns, but not the first ``shared``; columns (S,)."""
        query, key = columns[:, None], columns[None]
        past = key <= query
        return cls.of_own(past & ((key > query - window) | (key < shared)), past)

    @classmethod
    def of_own(cls, own: Tensor, past: Tensor) -> "PartnerKeys":
        """The pattern in which a query sees its ``own`` keys (S, S) and else its partner's past."""
        partner = past & ~own
        used = partner.any(0).nonzero()
        first, last = int(used.min()), int(used.max()) + 1
        return cls(torch.cat([own, partner[:, first:last]], 1), first, last)

    def to(self, device: torch.device) -> "PartnerKeys":
        """The same pattern on another device."""
        return PartnerKeys(self.allowed.to(device), self.first, self.last)

    def extend(self, heads: Tensor) -> Tensor:
        """Append the partners' columns to keys or values (B, H, S, d): (B, H, S + P, d)."""
        partners = heads[:, :, self.first : self.last].roll(-(len(heads) // CIRCLE), 0)
        return torch.cat([heads, partners], 2)


def encode_prompts(
    model: MusicgenForConditionalGeneration,
    ids: Tensor,
    which: Tensor,
    prompted: Tensor,
    mask: Tensor | None = None,
) -> Tensor:
    """States (B, L, WIDTH) that cross-attention reads, for row b those of prompt ``which[b]``.

    ``mask`` (prompts, L) is false where ``ids`` (prompts, L) are padding; None if none are. Rows
    with ``prompted`` false get zeros, as classifier-free guidance gives its unconditional half.
    """
    read = model.text_encoder(ids, attention_mask=mask).last_hidden_state
    states = model.enc_to_dec_proj(read)
    if mask is not None:
        states = states * mask[..., None]
    return states[which] * prompted[:, None, None]


def residuals_of(
    model: MusicgenForConditionalGeneration,
    tokens: Tensor,
    columns: Tensor,
    text: Tensor,
    partners: Sequence[PartnerKeys] | None = None,
    text_mask: Tensor | None = None,
    written: Written | None = None,
) -> list[Tensor]:
    """The residual before the first block and after each: layers + 1 of (B, S, WIDTH).

    ``tokens`` (B, K, S) are those that the columns (S,) read; S may leave columns out.
    ``partners`` has the keys of each block that are a partner's; None: every row has its own.
    ``text_mask`` (B, L) is false where the text is padding. ``written`` changes what a block's
    MLP writes.
    """
    decoder = model.decoder.model.decoder
    h = decoder.embed_positions.weights[columns]
    h = h + sum(table(tokens[:, k]) for k, table in enumerate(decoder.embed_tokens))
    residuals = [h]
    for block, layer in enumerate(decoder.layers):
        x, hidden = layer.self_attn_layer_norm(h), None if partners is None else partners[block]
        h = h + _attention(layer.self_attn, x, x, causal=True, partners=hidden)
        x = layer.encoder_attn_layer_norm(h)
        h = h + _attention(layer.encoder_attn, x, text, causal=False, allowed=text_mask)
        x = layer.final_layer_norm(h)
        output = layer.fc2(F.gelu(layer.fc1(x)))
        h = h + (output if written is None else written(block, output))
        residuals.append(h)
    return residuals


def logits_of(model: MusicgenForConditionalGeneration, residual: Tensor) -> Tensor:
    """Logits (B, K, S, entries) from the last residual (B, S, WIDTH)."""
    h = model.decoder.model.decoder.layer_norm(residual)
    return torch.stack([head(h) for head in model.decoder.lm_heads], 1)


def _attention(
    module: Any,
    queries: Tensor,
    source: Tensor,
    *,
    causal: bool,
    partners: PartnerKeys | None = None,
    allowed: Tensor | None = None,
) -> Tensor:
    q, k, v = (
        projection(x).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        for projection, x in (
            (module.q_proj, queries),
            (module.k_proj, source),
            (module.v_proj, source),
        )
    )
    if partners is None:
        mask = None if allowed is None else allowed[:, None, None]
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
    else:
        mixed = F.scaled_dot_product_attention(
            q, partners.extend(k), partners.extend(v), attn_mask=partners.allowed
        )
    return module.out_proj(mixed.transpose(1, 2).flatten(2))
