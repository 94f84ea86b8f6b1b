"""Stereo checkpoints: codebooks of two channels alternate and lag in pairs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import MusicgenForConditionalGeneration

from leitmotif.audio.decode import Audio
from leitmotif.config import ModelParams
from leitmotif.errors import AudioError, ModelError
from leitmotif.musicgen import GREEDY, HookedMusicGen, Intervention
from leitmotif.musicgen.loading import load_model
from leitmotif.musicgen.model import delay, undelay
from tests.tiny import save_tiny_checkpoint, tiny_musicgen, tiny_tokenizer

PROMPTS = ["a calm piece", "a happy fast piece with guitar melody"]
TOKENIZER = tiny_tokenizer()
SITE = "layers.1.residual"


@pytest.fixture(scope="module")
def theirs() -> MusicgenForConditionalGeneration:
    model = tiny_musicgen(channels=2)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in model.audio_encoder.quantizer.layers:  # untrained ones hold zeros
            layer.codebook.embed.copy_(torch.randn(layer.codebook.embed.shape, generator=random))
    return model


@pytest.fixture(scope="module")
def model(theirs: MusicgenForConditionalGeneration) -> HookedMusicGen:
    return HookedMusicGen.from_transformers(theirs, TOKENIZER)


@pytest.fixture(scope="module")
def exact() -> HookedMusicGen:
    made = HookedMusicGen.from_transformers(tiny_musicgen(channels=2), TOKENIZER)
    return made.to(dtype="float64")


@pytest.fixture
def codes() -> Tensor:
    return torch.randint(64, (2, 8, 20), generator=torch.Generator().manual_seed(5))


def test_codebooks_alternate_between_channels_and_lag_in_pairs(
    theirs: MusicgenForConditionalGeneration, model: HookedMusicGen, codes: Tensor
) -> None:
    assert (model.channels, model.codebooks) == (2, 8)
    assert model.delays == (0, 0, 1, 1, 2, 2, 3, 3)
    start = torch.full((16, 1), 64)
    with_start = torch.cat([start, codes.flatten(0, 1)], 1)
    _, pattern = theirs.decoder.build_delay_pattern_mask(with_start, 64, max_length=24)
    ours = delay(codes, 64, model.delays)
    assert torch.equal(ours, pattern.view(2, 8, 24))
    assert torch.equal(undelay(ours[:, :, 1:], 20, model.delays), codes)


@pytest.mark.parametrize("prompts", [None, PROMPTS], ids=["unconditional", "prompts"])
def test_logits_and_captures_agree_with_transformers(
    theirs: MusicgenForConditionalGeneration,
    model: HookedMusicGen,
    codes: Tensor,
    prompts: list[str] | None,
) -> None:
    if prompts is None:
        null = theirs.get_unconditional_inputs(2)
        given = {"encoder_outputs": null.encoder_outputs, "attention_mask": null.attention_mask}
    else:
        given = dict(TOKENIZER(prompts, padding=True, return_tensors="pt"))
    tokens = delay(codes, 64, model.delays)[:, :, :-1]
    with torch.no_grad():
        out = theirs(**given, decoder_input_ids=tokens.flatten(0, 1), output_hidden_states=True)
    expected = undelay(out.logits.view(2, 8, 23, 64), 20, model.delays)
    logits, cache = model.run_with_cache(codes, prompts, sites=[SITE])
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(cache[SITE], out.decoder_hidden_states[2], atol=1e-4, rtol=0)


@pytest.mark.parametrize("held", [0, 10], ids=["from nothing", "after a prefix"])
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_greedy_tokens_are_those_of_transformers(
    theirs: MusicgenForConditionalGeneration,
    model: HookedMusicGen,
    codes: Tensor,
    guidance: float,
    held: int,
) -> None:
    inputs = dict(TOKENIZER(PROMPTS, padding=True, return_tensors="pt"))
    if held:
        start = torch.full((16, 1), 64)
        prefix = codes[:, :, :held].flatten(0, 1)
        inputs["decoder_input_ids"] = torch.cat([start, prefix], 1)
    made: list[Tensor] = []
    decode = theirs.audio_encoder.decode

    def listen(given: Tensor, *args: object, **kwargs: object) -> object:
        made.append(given[0])
        return decode(given, *args, **kwargs)

    theirs.audio_encoder.decode = listen
    try:
        theirs.generate(**inputs, max_new_tokens=24 + 3, do_sample=False, guidance_scale=guidance)
    finally:
        del theirs.audio_encoder.decode
    left, right = made
    expected = torch.stack([left, right], 2).flatten(1, 2)
    clip = model.generate(
        PROMPTS,
        seconds=(expected.shape[2] - held) / 50,
        prefix=codes[:, :, :held] if held else None,
        sampling=GREEDY,
        guidance_scale=guidance,
    )
    assert torch.equal(clip.codes, expected)


def test_each_channel_is_encoded_and_decoded_by_itself(
    theirs: MusicgenForConditionalGeneration, model: HookedMusicGen, codes: Tensor
) -> None:
    audio = model.decode_audio(codes)
    assert audio.shape == (2, 2, 20 * 640)
    with torch.no_grad():
        for side in (0, 1):
            own = codes[None, :, side::2]
            heard = theirs.audio_encoder.decode(own, [None] * 2).audio_values[:, 0]
            torch.testing.assert_close(audio[:, side], heard)
            again = theirs.audio_encoder.encode(audio[:, side : side + 1]).audio_codes[0]
            assert torch.equal(model.encode_audio(audio)[:, side::2], again)
    assert torch.equal(model.encode_audio(list(audio)), model.encode_audio(audio))
    assert torch.equal(model.encode_audio(audio[0]), model.encode_audio(audio[:1]))
    assert not torch.equal(audio[:, 0], audio[:, 1])


def test_a_mono_clip_is_heard_from_both_sides(model: HookedMusicGen) -> None:
    mono = np.sin(np.arange(6400) / 9).astype(np.float32) / 2
    both = model.encode_audio(np.stack([mono, mono]))
    assert both.shape == (1, 8, 10)
    assert torch.equal(both[:, ::2], both[:, 1::2])
    for given in (mono, mono[None], [mono], mono[None, None], Audio(mono, 32_000, 32_000, 1)):
        assert torch.equal(model.encode_audio(given), both)
    for shape in ((6400, 2), (3, 6400), (1, 3, 6400)):
        with pytest.raises(AudioError, match="not mono"):
            model.encode_audio(np.zeros(shape, np.float32))


def test_interventions_act_in_generation_as_in_a_pass(exact: HookedMusicGen, codes: Tensor) -> None:
    edit = Intervention(SITE, "scale", strength=-2.0, frames=range(12, 30))
    made = exact.generate(
        seconds=0.3, prefix=codes, sampling=GREEDY, interventions=[edit], capture=[SITE]
    )
    logits, cache = exact.run_with_cache(made.codes, sites=[SITE], interventions=[edit])
    assert logits is not None
    assert torch.equal(logits[:, :, 20:].argmax(-1), made.codes[:, :, 20:])
    steps = made.activations[SITE].shape[1]
    torch.testing.assert_close(made.activations[SITE], cache[SITE][:, :steps])
    plain = exact.generate(seconds=0.3, prefix=codes, sampling=GREEDY)
    assert not torch.equal(plain.codes, made.codes)


def test_a_folder_loads_and_the_pipeline_refuses_it_by_name(tmp_path: Path) -> None:
    folder = save_tiny_checkpoint(tmp_path / "stereo", channels=2)
    model = HookedMusicGen.from_pretrained(str(folder), device="cpu")
    assert "8 codebooks of 64, 50 frames/s, 32000 Hz, stereo" in repr(model)
    settings = ModelParams(
        name=str(folder), revision=None, watch=str(folder), device="cpu", dtype="float32",
        text_padding="auto", position_seconds=0.0,
    )  # fmt: skip
    with pytest.raises(ModelError, match="does not run on stereo models"):
        load_model(settings)


def test_a_mono_model_keeps_its_fingerprint(model: HookedMusicGen) -> None:
    mono = HookedMusicGen.from_transformers(tiny_musicgen())
    assert mono.fingerprint == MONO
    assert mono.fingerprint != model.fingerprint


MONO = "e226082eb77154f81f299e2528ab4741df750f0005db46e886fb9b1cf0ead72a"
"""Of the tiny model, before there were stereo ones."""
