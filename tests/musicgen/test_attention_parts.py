"""Parts of self-attention: queries, keys, values and what each head adds."""

import pytest
import torch
from torch import Tensor
from transformers import MusicgenForConditionalGeneration

from leitmotif.errors import ModelError
from leitmotif.musicgen import GREEDY, HookedMusicGen, Intervention
from tests.musicgen.test_model import their_logits

LAYER = 1
SITE = f"layers.{LAYER}.self_attention"


def heads_of(model: HookedMusicGen) -> list[str]:
    return [f"{SITE}.head.{head}" for head in range(model.config.heads)]


def test_parts_are_what_forward_hooks_on_transformers_see(
    theirs: MusicgenForConditionalGeneration, model: HookedMusicGen, codes: Tensor
) -> None:
    seen: dict[str, Tensor] = {}
    attention = theirs.decoder.model.decoder.layers[LAYER].self_attn
    handles = [
        getattr(attention, f"{name}_proj").register_forward_hook(
            lambda _, __, out, name=name: seen.__setitem__(name, out)
        )
        for name in "qkv"
    ]
    handles.append(
        attention.out_proj.register_forward_pre_hook(
            lambda _, args: seen.__setitem__("mixed", args[0])
        )
    )
    their_logits(theirs, codes, None)
    for handle in handles:
        handle.remove()
    _, cache = model.run_with_cache(codes, sites=[*model.parts])
    for name in "qkv":
        torch.testing.assert_close(cache[f"{SITE}.{name}"], seen[name], atol=1e-5, rtol=0)
    size = model.width // model.config.heads
    for head, site in enumerate(heads_of(model)):
        mixed = torch.zeros_like(seen["mixed"])
        at = slice(head * size, (head + 1) * size)
        mixed[..., at] = seen["mixed"][..., at]
        torch.testing.assert_close(cache[site], attention.out_proj(mixed), atol=1e-5, rtol=0)


def test_heads_add_up_to_what_self_attention_adds(
    exact_model: HookedMusicGen, codes: Tensor
) -> None:
    _, cache = exact_model.run_with_cache(codes, sites=[*heads_of(exact_model), SITE])
    total = torch.stack([cache[site] for site in heads_of(exact_model)]).sum(0)
    torch.testing.assert_close(total, cache[SITE])


def test_to_look_at_parts_or_to_write_them_back_changes_nothing(
    model: HookedMusicGen, codes: Tensor
) -> None:
    plain = model(codes)
    looked, cache = model.run_with_cache(codes, sites=model.parts)
    assert looked is not None
    assert torch.equal(looked, plain)
    same = [Intervention(site, lambda x: x.clone()) for site in cache]
    assert torch.equal(model(codes, interventions=same), plain)


def test_taking_every_head_away_takes_self_attention_away(
    exact_model: HookedMusicGen, codes: Tensor
) -> None:
    by_head = [Intervention(site, "scale", strength=0.0) for site in heads_of(exact_model)]
    whole = Intervention(SITE, "scale", strength=0.0)
    torch.testing.assert_close(
        exact_model(codes, interventions=by_head), exact_model(codes, interventions=[whole])
    )


def test_values_of_other_steps_change_what_later_steps_read(
    exact_model: HookedMusicGen, codes: Tensor
) -> None:
    """A changed value is read from its step on, by every later one, and by the heads it is of."""
    size = exact_model.width // exact_model.config.heads

    def louder(x: Tensor) -> Tensor:
        x = x.clone()
        x[..., :size] *= 3
        return x

    edit = Intervention(f"{SITE}.v", louder, steps=range(5, 6))
    sites = heads_of(exact_model)
    _, plain = exact_model.run_with_cache(codes, sites=sites)
    _, changed = exact_model.run_with_cache(codes, sites=sites, interventions=[edit])
    moved = (plain[sites[0]] - changed[sites[0]]).abs().amax((0, 2))
    assert (moved[:5] == 0).all()
    assert (moved[5:] > 0).all()
    for site in sites[1:]:
        assert torch.equal(plain[site], changed[site])


@pytest.mark.parametrize("part", ["q", "k", "v", "head.0"])
def test_a_part_changed_during_generation_acts_as_in_a_pass(
    exact_model: HookedMusicGen, codes: Tensor, part: str
) -> None:
    edit = Intervention(f"{SITE}.{part}", "scale", strength=-2.0)
    made = exact_model.generate(
        seconds=0.3, prefix=codes, sampling=GREEDY, interventions=[edit], capture=[f"{SITE}.{part}"]
    )
    logits = exact_model(made.codes, interventions=[edit])
    assert torch.equal(logits[:, :, 20:].argmax(-1), made.codes[:, :, 20:])
    _, cache = exact_model.run_with_cache(
        made.codes, sites=[f"{SITE}.{part}"], interventions=[edit]
    )
    steps = made.activations[f"{SITE}.{part}"].shape[1]
    torch.testing.assert_close(
        made.activations[f"{SITE}.{part}"], cache[f"{SITE}.{part}"][:, :steps]
    )


def test_all_sites_do_not_include_parts_and_a_function_may_choose_them(
    model: HookedMusicGen, codes: Tensor
) -> None:
    assert list(model.run_with_cache(codes)[1]) == model.sites
    _, cache = model.run_with_cache(codes, sites=lambda name: name.endswith(".v"))
    assert list(cache) == [f"layers.{n}.self_attention.v" for n in range(model.num_layers)]


def test_a_head_that_the_model_lacks_is_refused(model: HookedMusicGen, codes: Tensor) -> None:
    with pytest.raises(ModelError, match=r"no site layers\.1\.self_attention\.head\.9"):
        model.run_with_cache(codes, sites=f"{SITE}.head.9")
