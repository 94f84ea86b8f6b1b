"""Both caches against attention over everything at once."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from leitmotif.musicgen import HookedMusicGen, batch
from leitmotif.musicgen.key_values import (
    KeyValueCache,
    RoomyCache,
    TightCache,
    key_value_cache,
)
from tests.tiny import tiny_musicgen

LAYERS, HEADS, WIDTH = 2, 3, 5


def make(kind: str, steps: int) -> KeyValueCache:
    return RoomyCache(LAYERS, steps) if kind == "roomy" else TightCache(LAYERS)


@settings(max_examples=25)
@given(
    kind=st.sampled_from(["roomy", "tight"]),
    prefix=st.integers(1, 70),
    new=st.integers(0, 2 * TightCache.BLOCK + 3),
    rows=st.lists(st.integers(0, 1), min_size=1, max_size=4),
)
def test_attention_is_that_over_all_steps_at_once(
    kind: str, prefix: int, new: int, rows: list[int]
) -> None:
    """Across several blocks, and with the prefix's rows repeated for several conditions."""
    torch.manual_seed(prefix)
    steps = prefix + new
    queries = torch.randn(LAYERS, len(rows), HEADS, steps, WIDTH, dtype=torch.float64)
    keys_values = torch.randn(LAYERS, 2, len(rows), HEADS, steps, WIDTH, dtype=torch.float64)
    # Rows with the same prefix share it, and differ afterwards.
    first = torch.randn(LAYERS, 2, 2, HEADS, prefix, WIDTH, dtype=torch.float64)
    keys_values[..., :prefix, :] = first[:, :, rows]
    first_queries = torch.randn(LAYERS, 2, HEADS, prefix, WIDTH, dtype=torch.float64)
    queries[..., :prefix, :] = first_queries[:, rows]

    cache = make(kind, steps)
    out: list[list[Tensor]] = [[] for _ in range(LAYERS)]
    for layer in range(LAYERS):
        out[layer].append(cache.attend(layer, first_queries[layer], first[layer])[rows])
    cache.length += prefix
    cache.take_rows(torch.tensor(rows))
    for step in range(prefix, steps):
        at = slice(step, step + 1)
        for layer in range(LAYERS):
            query, new_ones = queries[layer][:, :, at], keys_values[layer][:, :, :, at]
            out[layer].append(cache.attend(layer, query, new_ones))
        cache.length += 1

    for layer in range(LAYERS):
        keys, values = keys_values[layer]
        expected = F.scaled_dot_product_attention(queries[layer], keys, values, is_causal=True)
        torch.testing.assert_close(torch.cat(out[layer], dim=2), expected)


@pytest.mark.parametrize(
    ("rows", "dtype", "kind"),
    [
        (2, torch.float32, RoomyCache),
        (16, torch.float32, TightCache),
        (16, torch.float64, RoomyCache),
        (16, torch.bfloat16, RoomyCache),
    ],
)
def test_many_rows_in_float32_are_kept_tight(rows: int, dtype: torch.dtype, kind: type) -> None:
    made = key_value_cache(layers=1, rows=rows, heads=4, steps=9, like=torch.empty(1, dtype=dtype))
    assert isinstance(made, kind)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_keys_and_values_are_kept_in_the_precision_of_the_model(
    monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    """No more bytes than that: half of float32's where the model runs in half its digits."""
    model = HookedMusicGen.from_transformers(tiny_musicgen()).to(dtype=dtype)
    made: list[KeyValueCache] = []

    def kept(**given: Any) -> KeyValueCache:
        made.append(key_value_cache(**given))
        return made[-1]

    monkeypatch.setattr(batch, "key_value_cache", kept)
    model.generate(seconds=0.1, tracks=[*"abcdefghi"], seed=1)
    (cache,) = made
    tensors = [x for held in vars(cache).values() if isinstance(held, list) for x in held]
    assert {x.dtype for x in tensors} == {model.dtype}
    assert len(tensors) >= model.num_layers
