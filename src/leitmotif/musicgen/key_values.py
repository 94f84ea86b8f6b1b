"""Keys and values of the steps so far, and attention from a new step to all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from leitmotif.errors import ModelError
from leitmotif.musicgen.graphs import reach_of


@dataclass(frozen=True, eq=False)
class Past:
    """What a pass that goes on needs of the steps before it: keys and values, by block."""

    of_block: Mapping[int, Tensor]
    """[2, B, H, P, h]; none after the last block."""
    steps: int
    """P."""

    def until(self, step: int) -> "Past":
        """What the steps before ``step`` left. Raises ModelError for steps that it lacks."""
        if not 0 <= step <= self.steps:
            raise ModelError(
                "the past does not reach so far", found=step, expected=f"0..{self.steps}"
            )
        held = {block: x[:, :, :, :step] for block, x in self.of_block.items()}
        return Past(held, step)

    def of_rows(self, rows: Sequence[int]) -> "Past":
        """The same of some rows, in this order."""
        chosen = list(rows)
        return Past({block: x[:, chosen] for block, x in self.of_block.items()}, self.steps)


class Resumed:
    """Keys and values of a pass that goes on from ``past``; without it, of one that begins."""

    def __init__(self, past: Past | None = None) -> None:
        self._past = past
        self.of_block: dict[int, Tensor] = {}

    def join(self, block: int, keys_values: Tensor) -> Tensor:
        """Put new keys and values [2, B, H, S, h] of a block behind the past's [2, B, H, P, h]."""
        if self._past is not None and self._past.steps:
            keys_values = torch.cat([self._past.of_block[block], keys_values], dim=3)
        self.of_block[block] = keys_values
        return keys_values


class KeyValueCache(Protocol):
    """What self-attention needs of a cache; B rows, H heads, S steps, h numbers a head."""

    length: int
    """Steps that all layers hold."""

    def attend(self, layer: int, query: Tensor, keys_values: Tensor) -> Tensor:
        """Keep the new steps' [2, B, H, S, h] and attend from [B, H, S, h] to all, causally.

        The first call for a layer may bring many steps, each later one brings one.
        """

    def take_rows(self, rows: Tensor) -> None:
        """Replace the rows by ``rows`` (indices, repeats allowed): one prefix, many conditions."""


def key_value_cache(
    *, layers: int, rows: int, heads: int, steps: int, like: Tensor, replayed: bool = False
) -> KeyValueCache:
    """Make the cache that is fast for this many rows on the device and in the type of ``like``.

    One whose steps are ``replayed`` (``musicgen.graphs``) takes the step's number from a tensor.
    """
    if replayed:
        return ReplayedCache(layers, steps)
    if like.device.type == "cpu" and like.dtype == torch.float32 and rows * heads >= _MANY_HEADS:
        return TightCache(layers)
    return RoomyCache(layers, steps)


_MANY_HEADS = 32
"""Rows times heads from which a CPU is held up by memory and no longer by the calls. In float32: in
float64 the one call took 10 to 25 % less time than the parts of ``TightCache``, with 30 to 192 rows
of four heads and 50 to 350 steps."""


class RoomyCache:
    """Buffers for all steps, allocated once: one call to attend."""

    def __init__(self, layers: int, steps: int) -> None:
        self.length = 0
        self._steps = steps
        self._buffers: list[Tensor] = [torch.empty(0)] * layers  # [2, B, H, steps, h]

    def _room(self, like: Tensor, shape: Sequence[int]) -> Tensor:
        return like.new_empty(shape)

    def attend(self, layer: int, query: Tensor, keys_values: Tensor) -> Tensor:
        """See ``KeyValueCache``."""
        if self.length == 0:
            shape = [*keys_values.shape[:3], self._steps, keys_values.shape[4]]
            self._buffers[layer] = self._room(keys_values, shape)
        end = self.length + keys_values.shape[3]
        self._buffers[layer][:, :, :, self.length : end] = keys_values
        keys, values = self._buffers[layer][:, :, :, :end]
        return F.scaled_dot_product_attention(query, keys, values, is_causal=query.shape[2] > 1)

    def take_rows(self, rows: Tensor) -> None:
        """See ``KeyValueCache``."""
        for layer, old in enumerate(self._buffers):
            new = self._room(old, [2, len(rows), *old.shape[2:]])
            new[:, :, :, : self.length] = old[:, rows, :, : self.length]
            self._buffers[layer] = new


class ReplayedCache(RoomyCache):
    """Buffers whose steps may be replayed: where a step stands is read from a tensor.

    Attention reaches to the end of the step's segment, and later steps weigh nothing in it.
    """

    def __init__(self, layers: int, steps: int) -> None:
        super().__init__(layers, steps)
        self._place = self._bias = torch.empty(0)
        self._reach = 0

    def begin(self, step: int, place: Tensor) -> None:
        """Say which step comes next, and where its number lies, int64 [1]."""
        self._place, self._reach = place, reach_of(step, self._steps)
        later = torch.arange(self._reach, device=place.device) > place
        bias = self._buffers[0].new_zeros(self._reach).masked_fill(later, float("-inf"))
        self._bias = bias[None, None, None]  # [1, 1, 1, reach]

    def attend(self, layer: int, query: Tensor, keys_values: Tensor) -> Tensor:
        """See ``KeyValueCache``."""
        if self.length == 0:
            return super().attend(layer, query, keys_values)
        self._buffers[layer].index_copy_(3, self._place, keys_values)
        keys, values = self._buffers[layer][:, :, :, : self._reach]
        return F.scaled_dot_product_attention(query, keys, values, attn_mask=self._bias)

    def _room(self, like: Tensor, shape: Sequence[int]) -> Tensor:
        # Numbers, for a weight of 0 does not make one of what is none.
        return like.new_zeros(shape)


class TightCache:
    """Old steps without gaps, recent ones apart: less time at the memory.

    With many rows, attention takes the time of reading all keys and values, and a CPU reads them
    up to twice as fast where those of a head are followed by the next head's and not by room for
    later steps. Every ``BLOCK`` steps the recent ones are joined to the old.
    """

    BLOCK = 32

    def __init__(self, layers: int) -> None:
        self.length = 0
        self._old: list[Tensor] = [torch.empty(0)] * layers  # [2, B, H, P, h]
        self._recent: list[Tensor] = [torch.empty(0)] * layers  # [2, B, H, BLOCK, h]

    def attend(self, layer: int, query: Tensor, keys_values: Tensor) -> Tensor:
        """See ``KeyValueCache``."""
        if self.length == 0:
            self._old[layer] = keys_values.contiguous()
            self._recent[layer] = self._room_beside(keys_values)
            keys, values = keys_values
            return F.scaled_dot_product_attention(query, keys, values, is_causal=True)
        old, recent = self._old[layer], self._recent[layer]
        held = old.shape[3]
        new = self.length - held
        recent[:, :, :, new : new + 1] = keys_values
        old_keys, old_values = old.flatten(1, 2)  # [B * H, P, h]
        new_keys, new_values = recent.flatten(1, 2)[:, :, : new + 1]
        scaled = query.flatten(0, 1) * query.shape[-1] ** -0.5  # [B * H, 1, h]
        scores = torch.cat([scaled @ old_keys.mT, scaled @ new_keys.mT], dim=-1)
        weights = scores.softmax(-1)
        out = torch.baddbmm(weights[..., :held] @ old_values, weights[..., held:], new_values)
        if new + 1 == self.BLOCK:
            self._old[layer] = torch.cat([old, recent], dim=3)
        return out.view_as(query)

    def take_rows(self, rows: Tensor) -> None:
        """See ``KeyValueCache``."""
        self._old = [old[:, rows] for old in self._old]
        self._recent = [self._room_beside(old) for old in self._old]

    def _room_beside(self, old: Tensor) -> Tensor:
        return old.new_empty(*old.shape[:3], self.BLOCK, old.shape[4])
