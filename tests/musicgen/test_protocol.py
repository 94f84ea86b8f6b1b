"""What every model promises, asked of MusicGen and of a model of another kind."""

import inspect

import numpy as np
import pytest
import torch
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.musicgen import HookedMusicGen, Intervention
from leitmotif.musicgen.choice import require_sites
from leitmotif.musicgen.protocol import MusicModel, decoder_steps, timing_of
from tests.other_model import OtherModel

FRAMES, FRAME = 12, 6
EVERY = pytest.mark.parametrize("kind", ["musicgen", "other"])


@pytest.fixture
def any_model(kind: str, exact_model: HookedMusicGen) -> MusicModel:
    return exact_model if kind == "musicgen" else OtherModel()


def codes_of(model: MusicModel, rows: int = 1) -> Tensor:
    random = torch.Generator().manual_seed(3)
    return torch.randint(model.codebook_size, (rows, model.codebooks, FRAMES), generator=random)


@EVERY
def test_no_member_is_missing(any_model: MusicModel) -> None:
    members = [name for name in vars(MusicModel) if not name.startswith("_")]
    assert "attention_reach" in members
    for name in members:
        member = getattr(any_model, name)
        asked = getattr(MusicModel, name)
        if inspect.isfunction(asked):
            theirs = [*inspect.signature(asked).parameters][1:]
            assert [*inspect.signature(member).parameters][: len(theirs)] == theirs, name


@EVERY
def test_time_and_sizes_agree(any_model: MusicModel) -> None:
    model = any_model
    assert model.frame_rate * model.samples_per_frame == model.sample_rate
    assert timing_of(model).now([0, model.frame_rate]) == pytest.approx(
        [model.hearing_seconds, 1 + model.hearing_seconds]
    )
    samples = 0.1 * np.random.default_rng(0).standard_normal(5 * model.samples_per_frame + 7)
    codes = model.encode_audio(samples)
    assert codes.shape == (1, model.codebooks, 5)
    assert int(codes.max()) < model.codebook_size
    assert model.decode_audio(codes).shape == (1, 5 * model.samples_per_frame)
    assert len(model.delays) == model.codebooks
    assert min(model.delays) == 0
    logits, cache = model.run_with_cache(codes)
    assert logits is not None
    assert logits.shape == (1, model.codebooks, 5, model.codebook_size)
    assert list(cache) == list(model.sites)
    assert f"layers.{model.num_layers - 1}.residual" in cache
    for activations in cache.values():
        assert activations.shape == (1, decoder_steps(model, 5), model.width)


@EVERY
def test_delays_say_which_step_has_read_which_token(any_model: MusicModel) -> None:
    model = any_model
    codes = codes_of(model)
    logits, cache = model.run_with_cache(codes)
    assert logits is not None
    for j, delay in enumerate(model.delays):
        changed = codes.clone()
        changed[0, j, FRAME] = (codes[0, j, FRAME] + 1) % model.codebook_size
        other_logits, other = model.run_with_cache(changed)
        assert other_logits is not None
        read = FRAME + delay + 1
        for site, activations in cache.items():
            moved = (activations - other[site]).abs().amax(dim=(0, 2)) > 1e-9
            assert not moved[:read].any(), site
        assert moved[read]
        different = (logits - other_logits).abs().amax(dim=(0, 3)) > 1e-9
        for k, own in enumerate(model.delays):
            assert not different[k, : max(0, read - own)].any()


@EVERY
def test_generation_goes_on_from_its_prefix_at_the_models_rate(any_model: MusicModel) -> None:
    model, prefix = any_model, codes_of(any_model, rows=2)
    clip = model.generate(seconds=0.4, prefix=prefix, tracks=["a", "a"], seed=1)
    new = round(0.4 * model.frame_rate)
    assert clip.codes.shape == (2, model.codebooks, FRAMES + new)
    assert torch.equal(clip.codes[:, :, :FRAMES], prefix)
    again = model.generate(seconds=0.4, prefix=prefix[1:], tracks=["a"], seed=1)
    assert torch.equal(again.codes[0], clip.codes[1])


@EVERY
@pytest.mark.parametrize("part", ["head.1", "head.99", "q", "k", "v", "pattern"])
def test_a_part_of_attention_that_a_model_lacks_is_refused_by_name_with_what_there_is(
    any_model: MusicModel, part: str
) -> None:
    site = f"layers.1.self_attention.{part}"
    if site in any_model.parts:
        return
    if site not in getattr(any_model, "patterns", ()):
        with pytest.raises(ModelError, match=r"no site layers\.1\.self_attention\.(.|\n)*residual"):
            any_model.run_with_cache(codes_of(any_model), sites=[site])
    with pytest.raises(ModelError, match=f"no site {site}"):
        any_model(codes_of(any_model), interventions=[Intervention(site, torch.tanh)])


def test_a_site_that_only_another_model_has_is_refused_with_what_there_is() -> None:
    model = OtherModel()
    with pytest.raises(ModelError) as caught:
        require_sites(["layers.1.mlp"], model.sites)
    assert caught.value.expected == ("layers.N.self_attention, layers.N.residual with N of 0..1")


@EVERY
def test_interventions_at_one_site_add_up_and_none_is_lost(any_model: MusicModel) -> None:
    """A site's alias names the same site."""
    model, codes = any_model, codes_of(any_model)
    site, alias = "layers.1.residual", "hook_layers.1"
    vector = torch.ones(model.width, dtype=model.dtype)
    add, double = Intervention(site, "add", vector), Intervention(alias, "scale", strength=2.0)
    _, plain = model.run_with_cache(codes, sites=[site])
    _, changed = model.run_with_cache(codes, sites=[site], interventions=[add, double])
    torch.testing.assert_close(changed[site], 2 * (plain[site] + vector))


@EVERY
def test_an_intervention_that_leaves_nothing_of_an_earlier_one_is_refused(
    any_model: MusicModel,
) -> None:
    model, codes = any_model, codes_of(any_model, rows=2)
    vector = torch.ones(model.width, dtype=model.dtype)

    def run(first: dict, second: dict, change: str = "replace", strength: float = 1.0) -> None:
        tensor = vector if change == "replace" else None
        model(
            codes,
            interventions=[
                Intervention("layers.1.residual", torch.tanh, **first),
                Intervention("hook_layers.1", change, tensor, strength, **second),
            ],
        )

    for first, second in [
        ({}, {}),
        ({"steps": range(3, 6)}, {"steps": range(5, 9)}),
        ({"rows": [1]}, {}),
    ]:
        with pytest.raises(ModelError, match="leaves nothing of the first"):
            run(first, second)
        with pytest.raises(ModelError, match="leaves nothing of the first"):
            run(first, second, "scale", 0.0)
        run(first, second, strength=0.5)
    run({"steps": range(3, 5)}, {"steps": range(5, 9)})
    run({"rows": [1]}, {"rows": [0]})
