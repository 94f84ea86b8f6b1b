"""The MusicGen decoder, written once and plainly, with a hook point wherever a site is named.

A pre-norm transformer over delayed codec tokens (Copet et al. 2023, "Simple and Controllable Music
Generation", section 2): each step's input is the sum of K codebook embeddings and a sinusoidal
position; each block adds self-attention, cross-attention to the text and an MLP to the residual
stream; K linear heads predict the next step. No biases outside the layer norms.

Letters in shape comments: B rows, K codebooks, S steps, d width, H heads, h = d / H, V codebook
size, L text tokens.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from leitmotif.musicgen.key_values import KeyValueCache, Resumed
from leitmotif.musicgen.linear import Activation, Linear
from leitmotif.musicgen.tap import Tap


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of a decoder; musicgen-small is 24 x 1024 with 16 heads and an MLP of 4096."""

    layers: int
    width: int
    heads: int
    mlp_width: int
    codebooks: int
    codebook_size: int
    embedding_scale: float = 1.0
    activation: Activation = "gelu"
    channels: int = 1
    """Of the audio. Codebooks of two channels alternate: left, right, left, right, …"""

    @property
    def delays(self) -> tuple[int, ...]:
        """Steps by which each codebook lags behind; those of both channels lag alike."""
        return tuple(book // self.channels for book in range(self.codebooks))

    @property
    def pad(self) -> int:
        """Token that stands where a codebook has no frame: before its first and after its last."""
        return self.codebook_size


class TextKeys(NamedTuple):
    """Cross-attention's view of the prompts in one block, computed once per prompt."""

    keys: Tensor  # [B, H, L, h]
    values: Tensor  # [B, H, L, h]


class Block(nn.Module):
    """One decoder layer, with its six sites and the parts of its self-attention."""

    def __init__(self, config: DecoderConfig, index: int) -> None:
        super().__init__()
        d = config.width
        self.index, self.heads = index, config.heads
        self.self_norm = nn.LayerNorm(d)
        self.self_query_key_value = Linear(d, 3 * d)
        self.self_out = Linear(d, d)
        self.cross_norm = nn.LayerNorm(d)
        self.cross_query = Linear(d, d)
        self.cross_key_value = Linear(d, 2 * d)
        self.cross_out = Linear(d, d)
        self.mlp_norm = nn.LayerNorm(d)
        self.mlp_in = Linear(d, config.mlp_width, activation=config.activation)
        self.mlp_out = Linear(config.mlp_width, d)
        self.site_self_attention = f"layers.{index}.self_attention"
        self.site_self_pattern = f"layers.{index}.self_attention.pattern"
        self.site_residual_mid = f"layers.{index}.residual_mid"
        self.site_cross_attention = f"layers.{index}.cross_attention"
        self.site_cross_pattern = f"layers.{index}.cross_attention.pattern"
        self.site_residual_mid_cross = f"layers.{index}.residual_mid_cross"
        self.site_mlp = f"layers.{index}.mlp"
        self.site_residual = f"layers.{index}.residual"

    def forward(
        self,
        x: Tensor,
        text: TextKeys | None,
        text_mask: Tensor | None,
        past: KeyValueCache | None,
        tap: Tap,
        at: Tensor | None = None,
        resumed: Resumed | None = None,
    ) -> Tensor:
        """Map the residual stream [B, S, d] before the block to the one after it.

        ``at`` asks for some steps only [n]: nothing is computed at others but keys and values.
        ``resumed`` has keys and values of earlier steps, and is given those of these.
        """
        added = self._self_attention(self.self_norm(x), past, tap, at, resumed)
        # Additions make new tensors: what the tap keeps must not change afterwards.
        x = (x if at is None else x[:, at]) + tap(self.site_self_attention, added)
        x = tap(self.site_residual_mid, x)
        if text is not None:
            x = x + tap(
                self.site_cross_attention,
                self._cross_attention(self.cross_norm(x), text, text_mask, tap),
            )
        elif tap.wants(self.site_cross_attention):
            x = x + tap(self.site_cross_attention, torch.zeros_like(x))
        x = tap(self.site_residual_mid_cross, x)
        x = x + tap(self.site_mlp, self.mlp_out(self.mlp_in(self.mlp_norm(x))))
        return tap(self.site_residual, x)

    def text_keys(self, states: Tensor) -> TextKeys:
        """Project text states [B, L, d]."""
        keys, values = self._split_heads(self.cross_key_value(states), 2)
        return TextKeys(keys, values)

    def _self_attention(
        self,
        x: Tensor,
        past: KeyValueCache | None,
        tap: Tap,
        at: Tensor | None,
        resumed: Resumed | None,
    ) -> Tensor:
        projected = self.self_query_key_value(x)  # [B, S, 3 d]
        if tap.wants_parts(self.site_self_attention):
            parts = zip("qkv", projected.chunk(3, dim=-1), strict=True)
            projected = torch.cat([tap(f"{self.site_self_attention}.{n}", y) for n, y in parts], -1)
        query_key_value = self._split_heads(projected, 3)  # [3, B, H, S, h]
        query, keys_values = query_key_value[0], query_key_value[1:]
        if resumed is not None:
            keys_values = resumed.join(self.index, keys_values)
        if at is not None or keys_values.shape[3] > x.shape[1]:
            keys, values = keys_values
            read = torch.arange(keys.shape[2], device=x.device)
            own = read[keys.shape[2] - x.shape[1] :]
            if at is not None:
                query, own = query[:, :, at], own[at]
            earlier = own[:, None] >= read
            out = F.scaled_dot_product_attention(query, keys, values, attn_mask=earlier)
        elif past is None:
            keys, values = keys_values
            out = F.scaled_dot_product_attention(query, keys, values, is_causal=True)
            if tap.wants(self.site_self_pattern):
                steps = query.shape[2]
                earlier = torch.ones(steps, steps, dtype=torch.bool, device=x.device).tril()
                tap(self.site_self_pattern, attention_weights(query, keys, earlier))
        else:
            out = past.attend(self.index, query, keys_values)
        joined = self._join_heads(out)
        added = self.self_out(joined)
        if tap.wants_parts(self.site_self_attention):
            added = self._by_head(joined, added, tap)
        return added

    def _by_head(self, joined: Tensor, added: Tensor, tap: Tap) -> Tensor:
        """What self-attention adds, ``added`` [B, S, d], with what is changed at single heads."""
        each = joined.chunk(self.heads, dim=-1)
        out_of = self.self_out.weight.chunk(self.heads, dim=-1)  # [d, h] of each head
        for head in range(self.heads):
            site = f"{self.site_self_attention}.head.{head}"
            if tap.wants(site):
                part = each[head] @ out_of[head].T
                changed = tap(site, part)
                # A difference, so that looking at a head changes nothing.
                added = added if changed is part else added + (changed - part)
        return added

    def _cross_attention(self, x: Tensor, text: TextKeys, mask: Tensor | None, tap: Tap) -> Tensor:
        conditional = text.keys.shape[0]
        query = self._split_heads(self.cross_query(x[:conditional]), 1)[0]
        out = F.scaled_dot_product_attention(query, text.keys, text.values, attn_mask=mask)
        out = self.cross_out(self._join_heads(out))
        if tap.wants(self.site_cross_pattern):
            tap(self.site_cross_pattern, attention_weights(query, text.keys, mask))
        if conditional == x.shape[0]:
            return out
        # The null prompt is all zeros; without biases, attending to it adds exactly zero.
        return F.pad(out, (0, 0, 0, 0, 0, x.shape[0] - conditional))

    def _split_heads(self, x: Tensor, parts: int) -> Tensor:
        B, S, width = x.shape
        heads = x.view(B, S, parts, self.heads, width // (parts * self.heads))
        return heads.permute(2, 0, 3, 1, 4)  # [parts, B, H, S, h]

    @staticmethod
    def _join_heads(x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(2)  # [B, H, S, h] -> [B, S, d]


def attention_weights(query: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
    """Weights [B, H, S, L] with which queries [B, H, S, h] read keys [B, H, L, h].

    They are what ``scaled_dot_product_attention`` applies to the values and does not return.
    ``mask`` is True for the keys that a query may read; None lets it read all.
    """
    scores = query @ keys.mT * query.shape[-1] ** -0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(-1)


class Decoder(nn.Module):
    """Delayed tokens in, next-step logits out."""

    codebook_offsets: Tensor

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        rows = config.codebook_size + 1
        self.embedding = nn.Embedding(config.codebooks * rows, config.width)
        offsets = torch.arange(config.codebooks)[:, None] * rows
        self.register_buffer("codebook_offsets", offsets, persistent=False)
        self.blocks = nn.ModuleList(Block(config, i) for i in range(config.layers))
        self.final_norm = nn.LayerNorm(config.width)
        self.heads = Linear(config.width, config.codebooks * config.codebook_size)

    def forward(
        self,
        tokens: Tensor,
        positions: Tensor,
        *,
        text: Sequence[TextKeys] | None,
        text_mask: Tensor | None,
        tap: Tap,
        past: KeyValueCache | None = None,
        stop_at_layer: int | None = None,
    ) -> Tensor:
        """Run the blocks on tokens [B, K, S] at positions [S, d], or [B, S, d] of each row.

        ``text`` holds each block's keys for the first rows of the batch; the rows after them are
        unconditional, and without it all rows are. Returns the stream [B, S, d] after the final
        norm, or the residual stream before block ``stop_at_layer`` where one is given.
        """
        if past is not None and past.length and tokens.shape[2] > 1:
            raise ValueError("after the prefix the cache takes one step at a time")
        x = self.embedding(tokens + self.codebook_offsets).sum(1)
        if self.config.embedding_scale != 1.0:
            x = x * self.config.embedding_scale
        x = tap("layers.0.input", x + positions)
        for i, block in enumerate(self.blocks[:stop_at_layer]):
            x = block(x, text[i] if text else None, text_mask, past, tap)
        if past is not None:
            past.length += tokens.shape[2]
        return x if stop_at_layer is not None else self.final_norm(x)

    def resume(
        self,
        x: Tensor,
        layer: int,
        *,
        text: Sequence[TextKeys] | None,
        text_mask: Tensor | None,
        tap: Tap,
        at: Tensor | None = None,
        resumed: Resumed | None = None,
    ) -> Tensor:
        """Run blocks ``layer`` and later on a residual stream [B, S, d], and the final norm.

        ``at`` asks for the stream at some steps only [n], which saves most of the last block.
        ``resumed`` has the keys and values of steps before these.
        """
        for i, block in enumerate(self.blocks[layer:], start=layer):
            wanted = at if i == len(self.blocks) - 1 else None
            x = block(x, text[i] if text else None, text_mask, None, tap, wanted, resumed)
        if at is not None and layer == len(self.blocks):
            x = x[:, at]
        return self.final_norm(x)

    def logits(self, x: Tensor) -> Tensor:
        """Map the normed stream [B, S, d] to logits [B, S, K, V]."""
        return self.heads(x).unflatten(-1, (self.config.codebooks, self.config.codebook_size))

    def text_keys(self, states: Tensor) -> list[TextKeys]:
        """Project text states [B, L, d] for every block."""
        return [cast(Block, block).text_keys(states) for block in self.blocks]


def sinusoidal_positions(steps: int, width: int, *, exact: bool = False) -> Tensor:
    """Position embeddings [S, d]: cosines in the first half, sines in the second.

    In float32 as `transformers` computes them, which errs by 1e-4 at step 2,000, or ``exact`` in
    float64.
    """
    half = width // 2
    kind = torch.float64 if exact else torch.float32
    frequencies = torch.exp(torch.arange(half, dtype=kind) * (-math.log(10_000) / (half - 1)))
    angles = torch.arange(steps, dtype=kind)[:, None] * frequencies
    return F.pad(torch.cat([angles.cos(), angles.sin()], dim=1), (0, width % 2))


def delay(codes: Tensor, pad: int, delays: Sequence[int] | None = None) -> Tensor:
    """Delay codebook k by ``delays[k]`` + 1 steps: codes [B, K, T] to decoder inputs [B, K, S + 1].

    None delays each codebook by a step more than the one before, as mono models do. Input step s
    holds frame s - 1 - ``delays[k]`` of codebook k, and ``pad`` where there is none. The first
    S = T + max(delays) inputs are what predicts all frames; the last one only closes the pattern.
    """
    B, K, T = codes.shape
    delays = range(K) if delays is None else delays
    tokens = codes.new_full((B, K, T + max(delays) + 1), pad)
    for k, lag in enumerate(delays):
        tokens[:, k, lag + 1 : lag + 1 + T] = codes[:, k]
    return tokens


def undelay(steps: Tensor, frames: int, delays: Sequence[int] | None = None) -> Tensor:
    """Bring outputs of S >= T + max(delays) steps to frames: [B, K, S, ...] to [B, K, T, ...].

    ``delays`` are as for ``delay``.
    """
    delays = range(steps.shape[1]) if delays is None else delays
    books = [steps[:, k, lag : lag + frames] for k, lag in enumerate(delays)]
    return torch.stack(books, dim=1)
