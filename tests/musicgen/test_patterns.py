"""Attention patterns: the weights that the pass applies."""

import pytest
import torch
from torch import Tensor
from transformers import MusicgenForConditionalGeneration

from leitmotif.errors import ModelError
from leitmotif.musicgen import HookedMusicGen, Intervention
from leitmotif.musicgen.text import Padding
from tests.musicgen.test_attention_parts import LAYER, SITE, heads_of
from tests.tiny import tiny_musicgen, tiny_tokenizer

PATTERN, CROSS = f"{SITE}.pattern", f"layers.{LAYER}.cross_attention.pattern"
PROMPTS = ["a calm piece", "a sad slow piece with violin"]


def test_a_pattern_is_causal_and_its_rows_sum_to_one(
    exact_model: HookedMusicGen, codes: Tensor
) -> None:
    _, cache = exact_model.run_with_cache(codes, sites=exact_model.patterns[::2])
    for layer in range(exact_model.num_layers):
        pattern = cache["pattern", layer]
        assert pattern.shape == (2, 4, 23, 23)
        torch.testing.assert_close(pattern.sum(-1), torch.ones(2, 4, 23).double())
        assert not pattern.triu(1).any()
        assert (pattern.tril() > 0).sum() == 2 * 4 * 23 * 24 / 2


def test_it_mixes_the_values_to_what_each_head_adds(
    exact_model: HookedMusicGen, codes: Tensor
) -> None:
    """Also after an intervention on the queries that it is made of."""
    turned = Intervention(f"{SITE}.q", "scale", strength=-1.5, steps=range(4, 9))
    sites = [PATTERN, f"{SITE}.v", *heads_of(exact_model)]
    patterns = []
    for edits in ([], [turned]):
        _, cache = exact_model.run_with_cache(codes, sites=sites, interventions=edits)
        size = exact_model.width // exact_model.config.heads
        out_of = exact_model.decoder.blocks[LAYER].self_out.weight.split(size, dim=1)
        values = cache[f"{SITE}.v"].split(size, dim=-1)
        for head, site in enumerate(heads_of(exact_model)):
            mixed = cache[PATTERN][:, head] @ values[head]
            torch.testing.assert_close(mixed @ out_of[head].T, cache[site])
        patterns.append(cache[PATTERN])
    moved = (patterns[0] != patterns[1]).any(-1).any(0).any(0)
    assert moved.nonzero().flatten().tolist() == [4, 5, 6, 7, 8]


@pytest.mark.parametrize("padding", ["masked", "attended"])
def test_cross_attention_mixes_the_prompt_to_what_it_adds(codes: Tensor, padding: Padding) -> None:
    theirs = tiny_musicgen()
    model = HookedMusicGen.from_transformers(theirs, tiny_tokenizer(), text_padding=padding)
    model.to(dtype="float64")
    branch = f"layers.{LAYER}.cross_attention"
    _, cache = model.run_with_cache(codes, PROMPTS, sites=[CROSS, branch])
    pattern = cache[CROSS]
    assert pattern.shape == (2, 4, 23, 7)  # words of the longer prompt, and its end
    torch.testing.assert_close(pattern.sum(-1), torch.ones(2, 4, 23).double())
    assert (pattern[0, :, :, 4:] > 0).any() == (padding == "attended")
    conditioning = model.condition(PROMPTS, 2)
    assert conditioning is not None
    mixed = pattern @ conditioning.text[LAYER].values
    added = model.decoder.blocks[LAYER].cross_out(mixed.transpose(1, 2).flatten(2))
    torch.testing.assert_close(added, cache[branch])


def test_patterns_are_those_of_transformers(codes: Tensor) -> None:
    theirs: MusicgenForConditionalGeneration = tiny_musicgen()
    model = HookedMusicGen.from_transformers(theirs, tiny_tokenizer())
    theirs.decoder.set_attn_implementation("eager")
    words = tiny_tokenizer()(PROMPTS, return_tensors="pt", padding=True)
    tokens = torch.full((2, 4, 23), 64)
    for book in range(4):
        tokens[:, book, book + 1 : book + 21] = codes[:, book, : 22 - book]
    out = theirs(**words, decoder_input_ids=tokens.flatten(0, 1), output_attentions=True)
    _, cache = model.run_with_cache(codes, PROMPTS, sites=model.patterns)
    for layer in range(model.num_layers):
        own = cache["pattern", layer]
        torch.testing.assert_close(own, out.decoder_attentions[layer], atol=1e-5, rtol=0)
        own = cache[f"blocks.{layer}.cross_attn.hook_pattern"]
        torch.testing.assert_close(own, out.cross_attentions[layer], atol=1e-5, rtol=0)


def test_looking_at_patterns_changes_nothing_and_all_sites_leave_them_out(
    model: HookedMusicGen, codes: Tensor
) -> None:
    looked, _ = model.run_with_cache(codes, PROMPTS, sites=model.patterns)
    assert looked is not None
    assert torch.equal(looked, model(codes, PROMPTS))
    _, cache = model.run_with_cache(codes, sites=lambda name: "attention" in name)
    assert not [site for site in cache if site.endswith("pattern")]


def test_frames_of_a_pattern_are_rows_of_its_queries(model: HookedMusicGen, codes: Tensor) -> None:
    _, cache = model.run_with_cache(codes, sites=PATTERN, stop_at_layer=LAYER + 1)
    assert torch.equal(cache.at_frames(PATTERN, range(2, 5)), cache[PATTERN][:, :, 2:5])


def test_what_patterns_cannot_do_is_refused(model: HookedMusicGen, codes: Tensor) -> None:
    with pytest.raises(ModelError, match="a pass without prompts"):
        model.run_with_cache(codes, sites=CROSS)
    with pytest.raises(ModelError, match="can be read by run_with_cache"):
        model(codes, interventions=[Intervention(PATTERN, "scale", strength=0.0)])
    with pytest.raises(ModelError, match="can be read by run_with_cache"):
        model.generate(seconds=0.1, capture=PATTERN)
    with pytest.raises(ModelError, match="stop_at_layer=1 ends the pass before"):
        model.run_with_cache(codes, sites=PATTERN, stop_at_layer=1)
