"""The habits of users of TransformerLens: names, name filters, hook functions, frames."""

import pytest
import torch
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.musicgen import HookedMusicGen, HookPoint, Intervention

SITE = "layers.1.residual"
POST = "blocks.1.hook_resid_post"


def captured(model: HookedMusicGen, codes: Tensor, sites, **settings) -> dict[str, Tensor]:
    return dict(model.run_with_cache(codes, sites=sites, **settings)[1])


@pytest.mark.parametrize(
    "sites",
    [
        SITE,
        POST,
        "resid_post1",
        [SITE],
        [POST, SITE],
        lambda name: name.startswith("layers.1.") and name.endswith(".residual"),
    ],
)
def test_sites_are_a_name_names_or_a_function(model: HookedMusicGen, codes: Tensor, sites) -> None:
    assert list(captured(model, codes, sites)) == [SITE]
    assert list(captured(model, codes, sites, stop_at_layer=2)) == [SITE]
    clip = model.generate(prefix=codes, seconds=0.02, capture=sites)
    assert list(clip.activations) == [SITE]


def test_a_function_that_chooses_nothing_is_told_the_names(
    model: HookedMusicGen, codes: Tensor
) -> None:
    with pytest.raises(ModelError, match=r"(?s)chooses no site.*layers\.0\.input"):
        model.run_with_cache(codes, sites=lambda name: name.endswith("hook_resid_post"))


def test_a_cache_is_read_by_any_name(model: HookedMusicGen, codes: Tensor) -> None:
    _, cache = model.run_with_cache(codes, sites=[SITE])
    for name in (SITE, POST, "resid_post1", ("resid_post", 1), ("resid_pre", 2)):
        assert cache[name] is cache[SITE]
    with pytest.raises(KeyError, match="resid_mid1 was not captured"):
        cache["resid_mid", 1]


def test_the_stream_grows_by_what_each_branch_adds(model: HookedMusicGen, codes: Tensor) -> None:
    _, cache = model.run_with_cache(codes, "a calm piece")
    for layer in range(3):
        before = cache["resid_pre", layer]
        middle = before + cache["attn_out", layer]
        torch.testing.assert_close(cache["resid_mid", layer], middle)
        middle = middle + cache["cross_attn_out", layer]
        torch.testing.assert_close(cache["resid_mid_cross", layer], middle)
        torch.testing.assert_close(cache["resid_post", layer], middle + cache["mlp_out", layer])
    # Without a prompt the cross-attention adds nothing.
    _, cache = model.run_with_cache(codes)
    assert torch.equal(cache["resid_mid", 1], cache["resid_mid_cross", 1])


def test_what_enters_the_first_block_carries_everything(
    model: HookedMusicGen, codes: Tensor
) -> None:
    _, cache = model.run_with_cache(codes[:1], sites="layers.0.input", stop_at_layer=1)
    patch = Intervention("resid_pre0", "replace", cache["resid_pre", 0][0], steps=range(23))
    torch.testing.assert_close(model(codes[1:], interventions=[patch]), model(codes[:1]))


@pytest.mark.parametrize("kind", ["residual_mid", "residual_mid_cross"])
def test_the_middle_of_a_block_is_changed(model: HookedMusicGen, codes: Tensor, kind: str) -> None:
    change = Intervention(f"layers.1.{kind}", "scale", strength=0.0)
    _, cache = model.run_with_cache(codes, interventions=[change])
    assert not cache[f"layers.1.{kind}"].any()
    torch.testing.assert_close(cache["resid_post", 1], cache["mlp_out", 1])


def test_hook_functions_return_activations_or_change_them_in_place(
    model: HookedMusicGen, codes: Tensor
) -> None:
    expected = model(codes, interventions=[Intervention(SITE, "scale", strength=0.0)])
    seen = []

    def returned(activations: Tensor, hook: HookPoint) -> Tensor:
        seen.append((hook.name, hook.layer(), tuple(activations.shape)))
        return activations * 0

    def in_place(activations: Tensor, hook: HookPoint) -> None:
        activations[:] = 0

    for function in (returned, in_place):
        logits = model.run_with_hooks(codes, fwd_hooks=[(POST, function)])
        torch.testing.assert_close(logits, expected)
    assert seen == [(SITE, 1, (2, 23, 32))]
    assert not torch.equal(model(codes), expected)


def test_a_hook_function_that_only_looks_changes_nothing(
    model: HookedMusicGen, codes: Tensor
) -> None:
    seen: list[str] = []
    logits = model.run_with_hooks(
        codes,
        "a calm piece",
        fwd_hooks=[
            (lambda name: name.endswith("mlp"), lambda activations, hook: seen.append(hook.name)),
            ([SITE], lambda activations, hook: None),
        ],
    )
    assert torch.equal(logits, model(codes, "a calm piece"))
    assert seen == [f"layers.{layer}.mlp" for layer in range(3)]


def test_hook_functions_at_one_site_run_in_order(model: HookedMusicGen, codes: Tensor) -> None:
    hooks = [(SITE, lambda x, hook: x + torch.arange(32)), (SITE, lambda x, hook: x * 0)]
    expected = model(codes, interventions=[Intervention(SITE, "scale", strength=0.0)])
    assert torch.equal(model.run_with_hooks(codes, fwd_hooks=hooks), expected)
    assert not torch.equal(model.run_with_hooks(codes, fwd_hooks=hooks[::-1]), expected)


@pytest.mark.parametrize(("frames", "steps"), [((4, 9), (4, 12)), ((0, 1), (0, 4)), ((5, 5), None)])
def test_frames_are_all_steps_that_predict_one_of_their_tokens(
    model: HookedMusicGen, codes: Tensor, frames: tuple[int, int], steps: tuple[int, int] | None
) -> None:
    change = Intervention(SITE, "scale", strength=0.0, frames=range(*frames))
    before = captured(model, codes, SITE)[SITE]
    after = captured(model, codes, SITE, interventions=[change])[SITE]
    changed = (before != after).any(-1).any(0).nonzero()[:, 0].tolist()
    assert changed == list(range(*steps or (0, 0)))
    # In generation too, on both sides of the prefix's end.
    clip = model.generate(prefix=codes[:, :, :7], seconds=0.26, capture=SITE, seed=1)
    again = model.generate(
        prefix=codes[:, :, :7], seconds=0.26, capture=SITE, seed=1, interventions=[change]
    )
    zero = (again.activations[SITE] == 0).all(-1).any(0).nonzero()[:, 0].tolist()
    assert zero == changed
    assert (clip.activations[SITE] != 0).any(-1).all()


def test_frames_of_a_cache_are_the_first_steps_that_predict_them(
    model: HookedMusicGen, codes: Tensor
) -> None:
    _, cache = model.run_with_cache(codes, sites=SITE)
    assert torch.equal(cache.at_frames(POST, range(3, 8)), cache[SITE][:, 3:8])
    # Frame 3 and what follows it are not in the row of frame 3.
    other = codes.clone()
    other[:, :, 3:] = (other[:, :, 3:] + 1) % 64
    _, changed = model.run_with_cache(other, sites=SITE)
    same = cache.at_frames(SITE, range(20)) == changed.at_frames(SITE, range(20))
    assert same[:, :4].all()
    assert not same[:, 4:].all(-1).any()
    with pytest.raises(ModelError, match="were not captured"):
        cache.at_frames(SITE, range(20, 30))


@pytest.mark.parametrize(
    "settings",
    [
        {"frames": range(3), "steps": range(3)},
        {"frames": range(0, 9, 2)},
        {"tensor": torch.ones(3, 32), "frames": range(3)},
    ],
)
def test_frames_that_cannot_be_meant_are_refused(settings: dict) -> None:
    settings.setdefault("tensor", torch.ones(32))
    with pytest.raises(ModelError, match="expected"):
        Intervention(SITE, "add", **settings)
