"""Early exits: equal to the model itself at the last layer, and to its parts before that."""

import pytest
import torch
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.lens.exits import exit_logits, exiting, read_exits, sampled_exits
from leitmotif.musicgen import HookedMusicGen, Sampling
from tests.tiny import tiny_musicgen, tiny_tokenizer

PROMPTS = ["a calm piece", "a happy rock piece", "jazz"]
TRACKS = ["one", "two", "three"]
SECONDS = 0.4
SAMPLING = Sampling(temperature=1.0, top_k=20)


@pytest.fixture(scope="module")
def model() -> HookedMusicGen:
    return HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer()).to(dtype="float64")


def played(model: HookedMusicGen, prompts: list[str] | None, guidance: float) -> Tensor:
    return model.generate(
        prompts,
        seconds=SECONDS,
        tracks=TRACKS,
        seed=3,
        sampling=SAMPLING,
        guidance_scale=guidance,
    ).codes


@pytest.mark.parametrize(("prompts", "guidance"), [(PROMPTS, 3.0), (PROMPTS, 1.0), (None, 1.0)])
def test_the_exit_after_the_last_layer_plays_the_clip_itself(
    model: HookedMusicGen, prompts: list[str] | None, guidance: float
) -> None:
    codes = played(model, prompts, guidance)
    last = model.num_layers - 1
    exits = read_exits(
        model, codes, prompts, [0, last], tracks=TRACKS, seed=3, sampling=SAMPLING,
        guidance_scale=guidance,
    )  # fmt: skip
    assert torch.equal(exits[last], codes)
    assert not torch.equal(exits[0], codes)
    sampled = sampled_exits(
        model, prompts, [last, 0, last], seconds=SECONDS, tracks=TRACKS, seed=3, sampling=SAMPLING,
        guidance_scale=guidance,
    )  # fmt: skip
    assert torch.equal(sampled[[0, 2]], codes[[0, 2]])
    assert not torch.equal(sampled[1], codes[1])


def test_an_exit_reads_the_residual_with_the_last_norm_and_the_heads(
    model: HookedMusicGen,
) -> None:
    codes = played(model, PROMPTS, 1.0)
    _, cache = model.run_with_cache(codes, PROMPTS)
    logits = dict(exit_logits(model, codes, PROMPTS, [0, 1], guidance_scale=1.0))
    decoder = model.decoder
    for layer in (0, 1):
        expected = decoder.logits(decoder.final_norm(cache[f"layers.{layer}.residual"]))
        assert torch.allclose(logits[layer], expected, atol=1e-12)


def test_a_row_that_exits_plays_what_it_would_play_alone(model: HookedMusicGen) -> None:
    rows = [0, model.num_layers - 1, 1]
    together = sampled_exits(
        model, PROMPTS, rows, seconds=SECONDS, tracks=TRACKS, seed=3, sampling=SAMPLING
    )
    for row, layer in enumerate(rows):
        alone = sampled_exits(
            model, [PROMPTS[row]], [layer], seconds=SECONDS, tracks=[TRACKS[row]], seed=3,
            sampling=SAMPLING,
        )  # fmt: skip
        assert torch.equal(alone[0], together[row])


def test_nothing_after_its_layer_reaches_a_row_that_exits(model: HookedMusicGen) -> None:
    codes = torch.randint(64, (2, 4, 12), generator=torch.Generator().manual_seed(0))
    last = model.num_layers - 1
    _, plain = model.run_with_cache(codes)
    _, left = model.run_with_cache(
        codes, interventions=exiting([0, last], model.num_layers, prompted=False)
    )
    assert torch.equal(left[f"layers.{last}.residual"][0], plain["layers.0.residual"][0])
    assert torch.equal(left[f"layers.{last}.residual"][1], plain[f"layers.{last}.residual"][1])


def test_a_layer_that_is_not_there_is_refused(model: HookedMusicGen) -> None:
    with pytest.raises(ModelError, match="cannot exit there"):
        exiting([0, model.num_layers], model.num_layers, prompted=True)
    with pytest.raises(ModelError, match="cannot exit there"):
        exiting([-1], model.num_layers, prompted=True)


@pytest.mark.fault("lens", "guidance that takes an exit beyond the numbers", outcome="ModelError")
def test_an_exit_that_overflows_is_refused(model: HookedMusicGen) -> None:
    codes = played(model, PROMPTS, 1.0)
    with pytest.raises(ModelError, match="gives no numbers to draw tokens from"):
        read_exits(
            model, codes, PROMPTS, [0], tracks=TRACKS, seed=3, sampling=SAMPLING,
            guidance_scale=1.7e308,
        )  # fmt: skip
