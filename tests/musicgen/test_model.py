"""Our decoder against `transformers`', tiny and at musicgen-small's sizes."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import MusicgenForConditionalGeneration

from leitmotif.musicgen import GREEDY, HookedMusicGen
from leitmotif.musicgen.model import delay, sinusoidal_positions, undelay
from tests.tiny import their_tokens, tiny_musicgen, tiny_tokenizer

PROMPTS = ["a calm piece", "a happy fast piece with guitar melody"]
TOKENIZER = tiny_tokenizer()


def their_inputs(model: MusicgenForConditionalGeneration, prompts: Sequence[str] | None) -> dict:
    if prompts is None:
        null = model.get_unconditional_inputs(2)
        return {"encoder_outputs": null.encoder_outputs, "attention_mask": null.attention_mask}
    return dict(TOKENIZER(prompts, padding=True, return_tensors="pt"))


@torch.no_grad()
def their_logits(
    model: MusicgenForConditionalGeneration, codes: Tensor, prompts: Sequence[str] | None
) -> Tensor:
    """Logits [B, K, T, V] of `transformers`."""
    rows, books, frames = codes.shape
    tokens = delay(codes, model.config.decoder.vocab_size)[:, :, :-1]
    out = model(**their_inputs(model, prompts), decoder_input_ids=tokens.flatten(0, 1)).logits
    return undelay(out.view(rows, books, tokens.shape[2], -1), frames)


@pytest.mark.parametrize("prompts", [None, PROMPTS], ids=["unconditional", "padded prompts"])
def test_logits_agree_with_transformers(
    theirs: MusicgenForConditionalGeneration,
    model: HookedMusicGen,
    codes: Tensor,
    prompts: list[str] | None,
) -> None:
    torch.testing.assert_close(
        model(codes, prompts), their_logits(theirs, codes, prompts), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("held", [0, 10], ids=["from nothing", "after a prefix"])
def test_greedy_tokens_are_those_of_transformers(
    theirs: MusicgenForConditionalGeneration,
    model: HookedMusicGen,
    codes: Tensor,
    guidance: float,
    held: int,
) -> None:
    prefix = codes[:, :, :held]
    start = {"decoder_input_ids": prefix.flatten(0, 1)} if held else {}
    expected = their_tokens(
        theirs,
        **their_inputs(theirs, PROMPTS),
        **start,
        do_sample=False,
        guidance_scale=guidance,
        max_new_tokens=43,
    )
    clip = model.generate(
        PROMPTS,
        seconds=40 / 50,
        prefix=prefix if held else None,
        sampling=GREEDY,
        guidance_scale=guidance,
    )
    assert clip.codes.shape == (2, 4, held + 40)
    assert len(clip.continuation.unique()) > 10, "a constant sequence would prove little"
    assert torch.equal(clip.codes, expected)


@pytest.mark.parametrize("prompts", [None, PROMPTS], ids=["unconditional", "conditional"])
def test_captures_are_what_forward_hooks_on_transformers_see(
    theirs: MusicgenForConditionalGeneration,
    model: HookedMusicGen,
    codes: Tensor,
    prompts: list[str] | None,
) -> None:
    seen: dict[str, Tensor] = {}

    def listen(site: str):
        def hook(module: torch.nn.Module, args: object, out: object) -> None:
            seen[site] = out[0] if isinstance(out, tuple) else out

        return hook

    def listen_before(site: str):
        def hook(module: torch.nn.Module, args: tuple[Tensor, ...]) -> None:
            seen[site] = args[0]

        return hook

    layers = theirs.decoder.model.decoder.layers
    handles = [layers[0].register_forward_pre_hook(listen_before("layers.0.input"))]
    for i, layer in enumerate(layers):
        for kind, module in [
            ("residual_mid", layer.encoder_attn_layer_norm),
            ("residual_mid_cross", layer.final_layer_norm),
        ]:
            handles.append(module.register_forward_pre_hook(listen_before(f"layers.{i}.{kind}")))
        for kind, module in [
            ("residual", layer),
            ("self_attention", layer.self_attn),
            ("cross_attention", layer.encoder_attn),
            ("mlp", layer.fc2),
        ]:
            handles.append(module.register_forward_hook(listen(f"layers.{i}.{kind}")))
    their_logits(theirs, codes, prompts)
    for handle in handles:
        handle.remove()

    _, cache = model.run_with_cache(codes, prompts)
    assert list(cache) == model.sites
    assert set(cache) == set(seen)
    for site, tensor in cache.items():
        assert tensor.shape == (2, 20 + 3, model.width)
        torch.testing.assert_close(tensor, seen[site], atol=1e-4, rtol=0, msg=site)


def test_the_last_residual_is_not_transformers_last_hidden_state(
    theirs: MusicgenForConditionalGeneration, model: HookedMusicGen, codes: Tensor
) -> None:
    tokens = delay(codes, 64)[:, :, :-1].flatten(0, 1)
    null = their_inputs(theirs, None)
    with torch.no_grad():
        states = theirs(
            **null, decoder_input_ids=tokens, output_hidden_states=True
        ).decoder_hidden_states
    _, cache = model.run_with_cache(codes, sites=["layers.1.residual", "layers.2.residual"])
    torch.testing.assert_close(cache["layers.1.residual"], states[2], atol=1e-4, rtol=0)
    normed = model.decoder.final_norm(cache["layers.2.residual"])
    torch.testing.assert_close(normed, states[3], atol=1e-4, rtol=0)
    assert (cache["layers.2.residual"] - states[3]).abs().max() > 0.1


@pytest.mark.parametrize("name", ["planner", "reader", "blind"])
@pytest.mark.parametrize(("dtype", "atol"), [("float32", 1e-4), ("float64", 1e-10)])
def test_organisms_agree_with_transformers_over_a_whole_piece(
    repo_root: Path, name: str, dtype: str, atol: float
) -> None:
    folder = repo_root / "models" / "organism" / name
    ours = HookedMusicGen.from_pretrained(str(folder), device="cpu").to(dtype=dtype)
    # In the checkpoint's own float16, `transformers` would round its table of positions as well.
    theirs = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=getattr(torch, dtype))
    if dtype == "float64":  # their table of positions is rounded to float32
        theirs.decoder.model.decoder.embed_positions.weights = ours.positions(2048)
    codes = torch.randint(256, (1, 4, 416), generator=torch.Generator().manual_seed(3))
    null = theirs.get_unconditional_inputs(1)
    tokens = delay(codes, 256)[:, :, :-1]
    with torch.no_grad():
        out = theirs(
            encoder_outputs=(null.encoder_outputs[0].to(theirs.dtype),),
            attention_mask=null.attention_mask,
            decoder_input_ids=tokens.flatten(0, 1),
        ).logits
    expected = undelay(out.view(1, 4, tokens.shape[2], -1), 416)
    torch.testing.assert_close(ours(codes), expected, atol=atol, rtol=0)


@pytest.mark.full_size
def test_parity_at_the_sizes_of_musicgen_small() -> None:
    theirs = tiny_musicgen(
        layers=24, width=1024, heads=16, mlp_width=4096, codebook_size=2048, text_width=768
    )
    model = HookedMusicGen.from_transformers(theirs, TOKENIZER)
    codes = torch.randint(2048, (2, 4, 24), generator=torch.Generator().manual_seed(1))
    for prompts in (None, PROMPTS):
        expected = their_logits(theirs, codes, prompts)
        torch.testing.assert_close(model(codes, prompts), expected, atol=1e-4, rtol=0)
    for guidance in (1.0, 3.0):
        tokens = their_tokens(
            theirs,
            **their_inputs(theirs, PROMPTS),
            decoder_input_ids=codes[:, :, :12].flatten(0, 1),
            do_sample=False,
            guidance_scale=guidance,
            max_new_tokens=11,
        )
        clip = model.generate(
            PROMPTS,
            seconds=8 / 50,
            prefix=codes[:, :, :12],
            sampling=GREEDY,
            guidance_scale=guidance,
        )
        assert torch.equal(clip.codes, tokens)


def test_logits_of_a_frame_do_not_see_that_frame_or_later_ones(model: HookedMusicGen) -> None:
    generator = torch.Generator().manual_seed(2)
    codes = torch.randint(64, (1, 4, 16), generator=generator)
    later = codes.clone()
    later[:, :, 9:] = torch.randint(64, (1, 4, 7), generator=generator)
    before, cache = model.run_with_cache(codes, sites=["layers.2.residual"])
    after, cache_later = model.run_with_cache(later, sites=["layers.2.residual"])
    assert before is not None
    assert after is not None
    torch.testing.assert_close(before[:, 0, :10], after[:, 0, :10])
    assert not torch.allclose(before[:, 0, 10:], after[:, 0, 10:])
    # Row t of a capture has read tokens of frames before t only.
    rows, rows_later = cache["layers.2.residual"], cache_later["layers.2.residual"]
    torch.testing.assert_close(rows[:, :10], rows_later[:, :10])
    assert not torch.allclose(rows[:, 10], rows_later[:, 10])


@given(
    rows=st.integers(1, 3), books=st.integers(1, 5), frames=st.integers(1, 12), seed=st.integers(0)
)
def test_undelay_reverts_delay(rows: int, books: int, frames: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed % 2**63)
    codes = torch.randint(9, (rows, books, frames), generator=generator)
    tokens = delay(codes, 9)
    assert tokens.shape == (rows, books, frames + books)
    assert torch.equal(undelay(tokens[:, :, 1:], frames), codes)
    assert (tokens == 9).sum() == rows * books * books


def test_positions_are_those_of_transformers() -> None:
    from transformers.models.musicgen.modeling_musicgen import MusicgenSinusoidalPositionalEmbedding

    for width in (32, 33):
        theirs = MusicgenSinusoidalPositionalEmbedding.get_embedding(100, width)
        torch.testing.assert_close(sinusoidal_positions(100, width), theirs)
