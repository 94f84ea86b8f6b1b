"""Whatever an intervention or an argument is: the exact effect, or an error that names it."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from leitmotif.errors import AudioError, ModelError
from leitmotif.musicgen import HookedMusicGen, Intervention, Sampling
from tests.tiny import tiny_musicgen, tiny_tokenizer

WIDTH, STEPS, FRAMES = 32, 23, 20
SITE, CROSS = "layers.1.residual", "layers.1.cross_attention"
VECTOR = torch.randn(WIDTH, generator=torch.Generator().manual_seed(3))
ODD = [None, True, 0, -1, 1.5, "1", [0], [True], [-1], [0.5], {0}, slice(3), float("nan"), 10**400]


def _plain(x: Tensor, item: Intervention) -> Tensor:
    """What an intervention does to activations [B, S, d], written out."""
    out = x.clone()
    for row in range(len(x)) if item.rows is None else item.rows:
        for step in range(x.shape[1]) if item.steps is None else item.steps:
            if step >= x.shape[1]:
                continue
            before, s, v = x[row, step], item.strength, item.tensor
            if item.change == "add":
                after = before + s * v
            elif item.change == "replace":
                after = before + s * (v - before)
            elif item.change == "scale" and v is None:
                after = s * before
            else:
                unit = v / v.norm()
                share = s - 1 if item.change == "scale" else -s
                after = before + share * (before @ unit) * unit
            out[row, step] = after
    return out


spans = st.none() | st.builds(range, st.integers(-1, 30), st.integers(-1, 40), st.integers(1, 2))


@pytest.mark.fault(
    "intervention",
    "random change, tensor, strength, rows and steps",
    outcome="the exact effect, or ModelError",
)
@given(
    change=st.sampled_from(["add", "replace", "scale", "project_out", "double", None, 3]),
    tensor=st.sampled_from([None, VECTOR, VECTOR[:5], VECTOR * 0, VECTOR.long(), VECTOR.numpy()]),
    strength=st.sampled_from([0.0, 1.0, -2.5, np.float32(0.5), float("inf"), None, "1", True]),
    rows=st.none() | st.lists(st.integers(-1, 2), max_size=3) | st.sampled_from(ODD),
    steps=spans | st.sampled_from(ODD),
)
def test_an_intervention_has_its_effect_or_is_refused(
    model: HookedMusicGen, change, tensor, strength, rows, steps
) -> None:
    codes = torch.randint(64, (2, 4, FRAMES), generator=torch.Generator().manual_seed(5))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            item = Intervention(SITE, change, tensor, strength, rows, steps)
            _, cache = model.run_with_cache(codes, sites=SITE, interventions=[item])
        except ModelError:
            return
    _, before = model.run_with_cache(codes, sites=SITE)
    torch.testing.assert_close(cache[SITE], _plain(before[SITE], item), atol=1e-4, rtol=1e-4)
    beyond = item.steps is not None and item.steps.stop > STEPS
    assert beyond == any("the pass ends with step 22" in str(warning.message) for warning in said)


NOTHING: dict[str, tuple[Intervention, str | None]] = {
    "steps beyond the pass": (Intervention(SITE, "add", VECTOR, steps=range(10_000, 10_010)), None),
    "frames beyond the pass": (Intervention(SITE, "add", VECTOR, frames=range(900, 910)), None),
    "no steps": (Intervention(SITE, "add", VECTOR, steps=range(3, 3)), None),
    "no frames": (Intervention(SITE, "add", VECTOR, frames=range(3, 3)), None),
    "no rows": (Intervention(SITE, "add", VECTOR, rows=[]), None),
    "scaled cross-attention without a prompt": (Intervention(CROSS, "scale", strength=0.0), None),
    "a direction of it": (Intervention(CROSS, "project_out", VECTOR), None),
    "the half with a prompt": (Intervention(SITE, "add", VECTOR, half="conditional"), None),
    "the half without": (Intervention(SITE, "add", VECTOR, half="unconditional"), "a calm piece"),
}


@pytest.mark.fault(
    "intervention", "rows, steps, site or half that a pass has not", outcome="ModelError"
)
@pytest.mark.parametrize(("item", "prompt"), NOTHING.values(), ids=NOTHING.keys())
def test_an_intervention_that_would_change_nothing_is_refused(
    model: HookedMusicGen, codes: Tensor, item: Intervention, prompt: str | None
) -> None:
    with pytest.raises(ModelError, match="would change nothing"):
        model(codes, prompt, interventions=[item])
    with pytest.raises(ModelError, match="would change nothing"):
        model.generate(prompt, prefix=codes, seconds=0.2, guidance_scale=1.0, interventions=[item])


def test_a_site_that_a_shortened_pass_does_not_reach_is_refused(
    model: HookedMusicGen, codes: Tensor
) -> None:
    item = Intervention("layers.2.mlp", "add", VECTOR)
    with pytest.raises(ModelError, match="would change nothing"):
        model.run_with_cache(codes, stop_at_layer=2, interventions=[item])


def test_steps_inside_the_prefix_have_their_effect_in_generation(
    model: HookedMusicGen, codes: Tensor
) -> None:
    """The prefix is one pass and each later step another; an intervention may lie in either."""
    for steps in (range(3, 5), range(18, 25), range(22, 24)):
        item = Intervention(SITE, "add", VECTOR, strength=4.0, steps=steps)
        clip = model.generate(prefix=codes, seconds=0.2, interventions=[item], capture=SITE, seed=1)
        _, cache = model.run_with_cache(clip.codes, sites=SITE, interventions=[item])
        torch.testing.assert_close(clip.activations[SITE], cache[SITE], atol=1e-4, rtol=0)


@pytest.mark.fault(
    "intervention", "a strength that is NaN, infinite, None or text", outcome="ModelError"
)
@pytest.mark.parametrize("strength", [float("nan"), float("inf"), None, "1", True, 1j])
def test_a_strength_that_is_no_number_is_refused(strength: object) -> None:
    with pytest.raises(ModelError, match="strength"):
        Intervention(SITE, "scale", strength=strength)  # type: ignore[arg-type]


@pytest.mark.fault("intervention", "rows that are none", outcome="ModelError")
@pytest.mark.parametrize("rows", [0, True, "0", [True], [-1], [0.0], {0}, np.float32(1)])
def test_rows_that_are_none_are_refused(rows: object) -> None:
    with pytest.raises(ModelError, match="rows"):
        Intervention(SITE, "add", VECTOR, rows=rows)  # type: ignore[arg-type]


def test_numpys_integers_are_rows(model: HookedMusicGen, codes: Tensor) -> None:
    expected = model(codes, interventions=[Intervention(SITE, "add", VECTOR, rows=[1])])
    for rows in (np.array([1]), [np.int64(1)], torch.tensor([1])):
        item = Intervention(SITE, "add", VECTOR, rows=rows)  # type: ignore[arg-type]
        assert torch.equal(model(codes, interventions=[item]), expected)


RESULTS: dict[str, Callable[[Tensor], object]] = {
    "None": lambda x: None,
    "a number": lambda x: 1.0,
    "an array": lambda x: x.numpy(),
    "less": lambda x: x[:, 1:],
    "integers": lambda x: x.long(),
    "truth values": lambda x: x > 0,
    "NaN": lambda x: x * float("nan"),
    "infinity": lambda x: x / 0,
    "elsewhere": lambda x: x.to("meta"),
}


@pytest.mark.fault(
    "intervention",
    "a function that returns None, another shape, type or device, NaN or infinity",
    outcome="ModelError that names the site",
)
@pytest.mark.parametrize("make", RESULTS.values(), ids=RESULTS.keys())
def test_what_a_function_returns_is_checked(
    model: HookedMusicGen, codes: Tensor, make: Callable[[Tensor], Tensor]
) -> None:
    item = Intervention(SITE, make)
    with pytest.raises(ModelError, match=SITE):
        model(codes, interventions=[item])
    with pytest.raises(ModelError, match=SITE):
        model.run_with_cache(codes, stop_at_layer=2, interventions=[item])
    with pytest.raises(ModelError, match=SITE):
        model.generate(prefix=codes, seconds=0.1, interventions=[item])


@pytest.mark.fault(
    "model", "activations that overflow, without and in generation", outcome="ModelError"
)
def test_an_overflow_is_an_error_and_no_music(model: HookedMusicGen, codes: Tensor) -> None:
    item = Intervention("layers.0.mlp", "add", VECTOR, strength=3e38)
    with pytest.raises(ModelError, match=r"first at layers\.0\.mlp"):
        model(codes, interventions=[item])
    with pytest.raises(ModelError, match=r"NaN or infinity, first at the logits of step 20"):
        model.generate(prefix=codes, seconds=0.1, interventions=[item])


ARGUMENTS = [
    {"seconds": float("nan")}, {"seconds": None}, {"seconds": "1"}, {"seconds": -1.0},
    {"seconds": float("inf")}, {"seconds": 0.0}, {"seconds": True},
    {"seed": 0.5}, {"seed": None}, {"seed": "0"}, {"tracks": "ab"}, {"tracks": [1, 2]},
    {"tracks": ["a"]}, {"guidance_scale": float("nan")}, {"guidance_scale": "3"},
    {"sampling": 0.5}, {"sampling": {}}, {"prompts": ["a calm piece"]}, {"prompts": [1, 2]},
    {"prompts": b"calm"}, {"prompts": []}, {"prompts": " "},
    {"prefix": torch.zeros(2, 3, 5).long()}, {"prefix": torch.zeros(2, 4, 0).long()},
    {"prefix": torch.full((2, 4, 5), 64)},
    {"prefix": torch.zeros(2, 4, 5)}, {"prefix": [[0]]}, {"capture": 3}, {"capture": [3]},
]  # fmt: skip


@pytest.mark.fault(
    "generate", "guidance or cold that takes the logits beyond the numbers", outcome="ModelError"
)
@pytest.mark.parametrize(
    ("dtype", "scale", "temperature"),
    [("float32", 1e38, 1.0), ("float32", -1e308, 0.0), ("float16", 1.0, 1e-6)],
)
def test_logits_that_overflow_before_a_token_is_drawn(
    dtype: str, scale: float, temperature: float
) -> None:
    model = HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer()).to(dtype=dtype)
    with pytest.raises(ModelError, match="first at the logits of step"):
        model.generate(
            "a calm piece",
            seconds=0.2,
            guidance_scale=scale,
            sampling=Sampling(temperature=temperature),
        )


@pytest.mark.fault("generate", "an argument of another type or range", outcome="ModelError")
@pytest.mark.parametrize("given_", ARGUMENTS, ids=map(str, range(len(ARGUMENTS))))
def test_arguments_of_generate_are_checked(
    model: HookedMusicGen, codes: Tensor, given_: dict
) -> None:
    with pytest.raises(ModelError):
        model.generate(**{"prefix": codes, "seconds": 0.1, **given_})


@pytest.mark.parametrize(
    "given_",
    [{"temperature": t} for t in (-1.0, float("nan"), None, "1", True)]
    + [{"top_k": k} for k in (0, -1, 1.5, True, "5")]
    + [{"top_p": p} for p in (0.0, 1.5, float("nan"), "1", True)],
)
def test_settings_of_sampling_are_checked(given_: dict) -> None:
    with pytest.raises(ModelError, match=next(iter(given_))):
        Sampling(**given_)


@pytest.mark.parametrize(
    "given_",
    [{"stop_at_layer": n} for n in (0, 4, -1, 1.5, True, "1")]
    + [{"sites": s} for s in ([], 3, [3], [None], "layers.9.mlp", lambda name: False)],
)
def test_arguments_of_a_capture_are_checked(
    model: HookedMusicGen, codes: Tensor, given_: dict
) -> None:
    with pytest.raises(ModelError):
        model.run_with_cache(codes, **given_)


@pytest.mark.fault(
    "encode_audio", "stereo, empty, short, NaN, unscaled or no samples", outcome="AudioError"
)
@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(32_000, np.int64), np.zeros((32_000, 2), np.float32), np.zeros(0, np.float32),
        np.zeros((0, 32_000), np.float32), np.full(32_000, np.nan, np.float32), np.zeros(600),
        torch.zeros(1, 2, 32_000), torch.zeros(32_000).cfloat(), np.array(["a"]), None, "song.wav",
        np.full(32_000, 300.0), [], [np.zeros(640), np.zeros(1280)],
    ],
)  # fmt: skip
def test_audio_that_is_none_is_refused(model: HookedMusicGen, samples: object) -> None:
    with pytest.raises(AudioError):
        model.encode_audio(samples)  # type: ignore[arg-type]


@pytest.mark.fault("decode_audio", "codes with pads or out of range", outcome="ModelError")
@pytest.mark.parametrize(
    "codes",
    [
        torch.full((1, 4, 5), 64), torch.full((1, 4, 5), -1), torch.zeros(1, 4, 5),
        torch.zeros(4, 5).long(), torch.zeros(1, 3, 5).long(), torch.zeros(1, 4, 0).long(),
        torch.zeros(0, 4, 5).long(), torch.zeros(1, 4, 5).bool(), np.zeros((1, 4, 5), int), None,
    ],
)  # fmt: skip
def test_codes_that_are_none_are_refused(model: HookedMusicGen, codes: object) -> None:
    with pytest.raises(ModelError, match="codes"):
        model.decode_audio(codes)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="codes"):
        model(codes)  # type: ignore[arg-type]


@pytest.mark.fault("codec", "samples that are NaN after decoding", outcome="ModelError")
def test_samples_that_are_no_numbers_are_refused(
    model: HookedMusicGen, codes: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = model.codec.encodec.decode

    def broken(*args: object) -> object:
        out = decode(*args)
        out.audio_values[1, 0, 7] = float("nan")
        return out

    monkeypatch.setattr(model.codec.encodec, "decode", broken)
    with pytest.raises(ModelError, match=r"rows \[1\]"):
        model.decode_audio(codes)


@pytest.mark.fault("device", "one that is not there, or none", outcome="ModelError")
@pytest.mark.parametrize(
    "device", ["mps", "cuda", "cuda:7", "meta", "xpu", "nonsense", "", 3, None]
)
def test_a_device_that_is_not_there_is_refused(
    device: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ModelError, match="expected: cpu"):
        HookedMusicGen.from_pretrained("anything", device=device)  # type: ignore[arg-type]


@pytest.mark.fault("device", "float64 on an Apple GPU", outcome="ModelError")
def test_float64_on_an_apple_gpu_is_refused(
    model: HookedMusicGen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(ModelError, match="float64"):
        model.to(device="mps", dtype="float64")
    assert model.device.type == "cpu"


@pytest.mark.fault(
    "intervention", "anything else than a list of Intervention", outcome="ModelError"
)
@pytest.mark.parametrize(
    "given", [None, "x", ["a"], [None], 5, {SITE: 1}, Intervention(SITE, "scale", strength=2.0)]
)
def test_what_are_no_interventions_is_refused(model: HookedMusicGen, given) -> None:
    codes = torch.zeros(1, model.codebooks, 5, dtype=torch.long)
    with pytest.raises(ModelError, match="a list of Intervention"):
        model(codes, interventions=given)
    with pytest.raises(ModelError, match="a list of Intervention"):
        model.generate(seconds=0.2, prefix=codes, interventions=given)


@pytest.mark.fault(
    "run_with_hooks", "anything else than pairs of sites and function", outcome="ModelError"
)
@pytest.mark.parametrize(
    "given", [None, 5, "x", [(SITE,)], [(SITE, 5)], (SITE, lambda x, hook: None), [SITE], {SITE: 1}]
)
def test_what_are_no_hooks_is_refused(model: HookedMusicGen, given) -> None:
    codes = torch.zeros(1, model.codebooks, 5, dtype=torch.long)
    with pytest.raises(ModelError, match="pairs"):
        model.run_with_hooks(codes, fwd_hooks=given)


@pytest.mark.fault(
    "activations", "a key that is no site", outcome="KeyError that names what was captured"
)
@pytest.mark.parametrize("key", [5, None, ("resid_post",), ("resid_post", 99), slice(1), "", b"x"])
def test_a_key_that_is_no_site_is_named(model: HookedMusicGen, key) -> None:
    codes = torch.zeros(1, model.codebooks, 5, dtype=torch.long)
    cache = model.run_with_cache(codes, sites=SITE)[1]
    with pytest.raises(KeyError, match="captured"):
        cache[key]


@pytest.mark.fault(
    "generate", "a temperature by which logits become infinite", outcome="ModelError"
)
@pytest.mark.parametrize("temperature", [1e-300, 1e-40, 1e-7, -0.5, float("nan")])
def test_a_temperature_that_makes_infinity_is_refused(temperature: float) -> None:
    with pytest.raises(ModelError, match="temperature"):
        Sampling(temperature=temperature)
