"""Interventions and captures."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.musicgen import HookedMusicGen, Intervention

WIDTH = 32
VECTOR = torch.randn(WIDTH, generator=torch.Generator().manual_seed(3))
SITE = "layers.1.residual"


def run(model: HookedMusicGen, codes: Tensor, *interventions: Intervention) -> tuple[Tensor, ...]:
    logits, cache = model.run_with_cache(codes, sites=[SITE], interventions=interventions)
    assert logits is not None
    return logits, cache[SITE]


IDENTITIES = {
    "function": lambda site: Intervention(site, lambda x: x),
    "scale by one": lambda site: Intervention(site, "scale", strength=1.0),
    "scale a direction by one": lambda site: Intervention(site, "scale", VECTOR, strength=1.0),
    "add nothing": lambda site: Intervention(site, "add", VECTOR, strength=0.0),
    "replace by none of it": lambda site: Intervention(site, "replace", VECTOR, strength=0.0),
    "project nothing out": lambda site: Intervention(site, "project_out", VECTOR, strength=0.0),
}


@pytest.mark.parametrize("make", IDENTITIES.values(), ids=IDENTITIES.keys())
@pytest.mark.parametrize("kind", ["residual", "self_attention", "cross_attention", "mlp"])
def test_an_identity_changes_nothing_bit_for_bit(
    model: HookedMusicGen, codes: Tensor, make, kind: str
) -> None:
    item = make(f"layers.1.{kind}")
    prompts = ["a calm piece", "a sad piece"]
    plain = model(codes, prompts)
    assert torch.equal(model(codes, prompts, interventions=[item]), plain)
    clip = model.generate(prompts, seconds=0.3, prefix=codes, seed=4)
    again = model.generate(prompts, seconds=0.3, prefix=codes, seed=4, interventions=[item])
    assert torch.equal(clip.codes, again.codes)


def test_each_mode_does_what_its_name_says(model: HookedMusicGen, codes: Tensor) -> None:
    _, x = run(model, codes)
    unit = VECTOR / VECTOR.norm()
    along = (x @ unit)[..., None] * unit
    target = torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(1))

    def at_site(*args, **kwargs) -> Tensor:
        return run(model, codes, Intervention(SITE, *args, **kwargs))[1]

    torch.testing.assert_close(at_site("add", VECTOR, strength=2.0), x + 2 * VECTOR)
    torch.testing.assert_close(at_site("replace", VECTOR), VECTOR.expand_as(x))
    torch.testing.assert_close(at_site("replace", VECTOR, strength=0.25), 0.75 * x + VECTOR / 4)
    torch.testing.assert_close(at_site("scale", strength=-1.5), -1.5 * x)
    torch.testing.assert_close(at_site("scale", VECTOR, strength=3.0), x + 2 * along)
    torch.testing.assert_close(at_site("project_out", VECTOR), x - along)
    torch.testing.assert_close(at_site(torch.tanh), x.tanh())
    windowed = at_site("replace", target, steps=range(4, 9))
    torch.testing.assert_close(windowed[:, 4:9], target.expand(2, 5, WIDTH))
    per_row = torch.stack([target, -target])
    assert torch.equal(
        at_site("replace", per_row, rows=[1, 0], steps=range(4, 9))[:, 4:9], per_row.flip(0)
    )


@pytest.mark.filterwarnings("ignore:.*the pass ends with step 22")
@settings(max_examples=25)
@given(
    row=st.integers(0, 1),
    start=st.integers(0, 22),
    length=st.integers(1, 23),
    layer=st.integers(0, 2),
)
def test_only_the_chosen_rows_and_steps_change(
    model: HookedMusicGen, row: int, start: int, length: int, layer: int
) -> None:
    codes = torch.randint(64, (2, 4, 20), generator=torch.Generator().manual_seed(5))
    site = f"layers.{layer}.residual"
    item = Intervention(site, "add", VECTOR, rows=[row], steps=range(start, start + length))
    _, before = model.run_with_cache(codes, sites=[site])
    _, after = model.run_with_cache(codes, sites=[site], interventions=[item])
    changed = (before[site] != after[site]).any(-1)
    expected = torch.zeros_like(changed)
    expected[row, start : start + length] = True
    assert torch.equal(changed, expected)


def test_interventions_at_one_site_act_in_order(model: HookedMusicGen, codes: Tensor) -> None:
    add, double = Intervention(SITE, "add", VECTOR), Intervention(SITE, "scale", strength=2.0)
    _, x = run(model, codes)
    torch.testing.assert_close(run(model, codes, add, double)[1], 2 * (x + VECTOR))
    torch.testing.assert_close(run(model, codes, double, add)[1], 2 * x + VECTOR)


def test_what_is_captured_does_not_change_afterwards(model: HookedMusicGen, codes: Tensor) -> None:
    _, cache = model.run_with_cache(codes, "a calm piece")
    total = cache["layers.0.residual"]
    for kind in ("self_attention", "cross_attention", "mlp"):
        total = total + cache[f"layers.1.{kind}"]
    torch.testing.assert_close(total, cache["layers.1.residual"])


def test_patching_the_residual_of_another_clip_carries_everything_over(
    model: HookedMusicGen, codes: Tensor
) -> None:
    _, cache = model.run_with_cache(codes[:1], sites=[SITE])
    patch = Intervention(SITE, "replace", cache[SITE][0], steps=range(23))
    torch.testing.assert_close(model(codes[1:], interventions=[patch]), model(codes[:1]))


def test_guidance_halves_are_changed_apart(model: HookedMusicGen, codes: Tensor) -> None:
    def captured(half: str):
        items = [] if half == "neither" else [Intervention(SITE, "add", VECTOR, half=half)]
        clip = model.generate(
            "a calm piece",
            seconds=0.02,
            prefix=codes,
            guidance_scale=3.0,
            interventions=items,
            capture=[SITE],
        )
        return clip.activations[SITE][:, :21], clip.unconditional[SITE][:, :21]

    with_prompt, without = captured("neither")
    assert not torch.allclose(with_prompt, without)
    for half, first, second in [
        ("both", True, True),
        ("conditional", True, False),
        ("unconditional", False, True),
    ]:
        first_half, two = captured(half)
        torch.testing.assert_close(first_half, with_prompt + VECTOR if first else with_prompt)
        torch.testing.assert_close(two, without + VECTOR if second else without)


def test_stopping_early_gives_the_same_activations_and_no_logits(
    model: HookedMusicGen, codes: Tensor
) -> None:
    _, full = model.run_with_cache(codes, sites=[SITE])
    logits, cache = model.run_with_cache(codes, sites=["hook_layers.1"], stop_at_layer=2)
    assert logits is None
    assert torch.equal(cache["hook_layers.1"], full[SITE])
    _, all_sites = model.run_with_cache(codes, stop_at_layer=1)
    assert list(all_sites) == model.sites[:7]
    _, chosen = model.run_with_cache(codes, sites=lambda name: name.endswith("mlp"))
    assert list(chosen) == [f"layers.{i}.mlp" for i in range(3)]


def test_gradients_reach_an_interventions_tensor(model: HookedMusicGen, codes: Tensor) -> None:
    vector = VECTOR.clone().requires_grad_()
    loss = model(codes, interventions=[Intervention(SITE, "add", vector)]).logsumexp(-1).sum()
    (gradient,) = torch.autograd.grad(loss, vector)
    assert gradient.abs().max() > 0
    assert not model(codes).requires_grad


BAD = {
    "no such mode": lambda: Intervention(SITE, "double"),
    "no tensor": lambda: Intervention(SITE, "add"),
    "no such half": lambda: Intervention(SITE, "add", VECTOR, half="left"),
    "bad site": lambda: Intervention("layers.1.attention", "add", VECTOR),
    "stepped range": lambda: Intervention(SITE, "add", VECTOR, steps=range(0, 9, 2)),
    "zero direction": lambda: Intervention(SITE, "project_out", torch.zeros(WIDTH)),
    "NaN": lambda: Intervention(SITE, "add", VECTOR * float("nan")),
    "steps not named": lambda: Intervention(SITE, "add", torch.ones(4, WIDTH)),
    "too few steps": lambda: Intervention(SITE, "add", torch.ones(4, WIDTH), steps=range(3)),
    "rows not named": lambda: Intervention(SITE, "add", torch.ones(2, 4, WIDTH), steps=range(4)),
    "function and tensor": lambda: Intervention(SITE, torch.tanh, VECTOR),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
def test_impossible_interventions_are_refused(make) -> None:
    with pytest.raises(ModelError, match="expected"):
        make()


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Intervention("layers.3.residual", "add", VECTOR), r"0\.\.2"),
        (Intervention(SITE, "add", VECTOR[:5]), "32 numbers"),
        (Intervention(SITE, "add", VECTOR, rows=[2]), r"0\.\.1"),
        (Intervention(SITE, "add", VECTOR, rows=[1, 1]), "distinct"),
        (Intervention(SITE, "add", VECTOR, half="conditional"), "would change nothing"),
        (Intervention(SITE, lambda x: x[:, :1]), "changed the activations' shape"),
    ],
)
def test_interventions_that_do_not_fit_the_pass_are_refused(
    model: HookedMusicGen, codes: Tensor, item: Intervention, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        model(codes, interventions=[item])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sites": ["layers.9.mlp"]}, r"0\.\.2"),
        ({"sites": ["layer.1"]}, "not a site"),
        ({"sites": [SITE], "stop_at_layer": 1}, "ends the pass before"),
        ({"stop_at_layer": 0}, r"1\.\.3"),
        ({"stop_at_layer": 4}, r"1\.\.3"),
    ],
)
def test_impossible_captures_are_refused(
    model: HookedMusicGen, codes: Tensor, arguments: dict, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        model.run_with_cache(codes, **arguments)


def test_a_site_that_was_not_captured_is_named(model: HookedMusicGen, codes: Tensor) -> None:
    _, cache = model.run_with_cache(codes, sites=[SITE])
    with pytest.raises(KeyError, match=r"layers\.2\.mlp was not captured.*layers\.1\.residual"):
        cache["layers.2.mlp"]
