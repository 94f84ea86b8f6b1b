"""Samples to codes and back, and what is not audio."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif.audio.decode import Audio
from leitmotif.errors import AudioError
from leitmotif.musicgen import HookedMusicGen
from tests.tiny import tiny_musicgen


@pytest.fixture(scope="module")
def planner() -> HookedMusicGen:
    """Has a trained codec; an untrained one has one code for everything."""
    return HookedMusicGen.from_pretrained("models/organism/planner", device="cpu")


@settings(max_examples=10)
@given(samples=st.integers(640, 9000), rows=st.integers(1, 2))
def test_codes_are_whole_frames(model: HookedMusicGen, samples: int, rows: int) -> None:
    audio = torch.randn(rows, samples, generator=torch.Generator().manual_seed(samples))
    codes = model.encode_audio(list(audio))
    assert codes.shape == (rows, 4, samples // 640)
    assert codes.dtype == torch.long
    assert model.decode_audio(codes).shape == (rows, samples // 640 * 640)


def test_codes_agree_with_transformers(theirs, model: HookedMusicGen) -> None:
    audio = torch.randn(1, 640 * 40, generator=torch.Generator().manual_seed(1))
    expected = theirs.audio_encoder.encode(audio[:, None]).audio_codes[0]
    assert torch.equal(model.encode_audio(audio), expected)
    assert torch.equal(model.encode_audio(audio[0].numpy()), expected)
    sound = theirs.audio_encoder.decode(expected[None], [None]).audio_values[:, 0]
    torch.testing.assert_close(model.decode_audio(expected), sound)


def test_beside_a_decoder_in_float64_it_computes_in_float64(model: HookedMusicGen) -> None:
    exact = HookedMusicGen.from_transformers(tiny_musicgen()).to(dtype="float64")
    assert {weight.dtype for weight in exact.codec.parameters()} == {torch.float64}
    audio = torch.randn(1, 640 * 40, generator=torch.Generator().manual_seed(1))
    codes = exact.encode_audio(audio)
    assert (codes == model.encode_audio(audio)).double().mean() > 0.99
    sound = exact.decode_audio(codes)
    assert sound.dtype == torch.float32
    torch.testing.assert_close(sound, model.decode_audio(codes), atol=1e-5, rtol=1e-5)
    exact.to(dtype="bfloat16")
    assert {weight.dtype for weight in exact.codec.parameters()} == {torch.float32}


def test_frames_a_second(model: HookedMusicGen) -> None:
    assert (model.sample_rate, model.frame_rate) == (32_000, 50)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["int16", "int32", "uint8"]))
def test_integers_and_floats_of_the_same_audio_give_the_same_codes(
    planner: HookedMusicGen, seed: int, kind: str
) -> None:
    limits = np.iinfo(kind)
    whole = np.random.default_rng(seed).integers(limits.min, limits.max, 6400, kind, endpoint=True)
    full = 2 ** (limits.bits - 1)
    floats = (whole.astype(np.float64) - (full if limits.min == 0 else 0)) / full
    codes = planner.encode_audio(whole)
    assert torch.equal(codes, planner.encode_audio(floats))
    assert torch.equal(codes, planner.encode_audio(torch.from_numpy(whole)))
    assert codes.unique().numel() > 1


def test_a_sound_a_list_and_a_batch_are_the_same_audio(planner: HookedMusicGen) -> None:
    model = planner
    both = np.random.default_rng(0).standard_normal((2, 6400)).astype(np.float32) / 4
    codes = torch.cat([model.encode_audio(clip) for clip in both])
    assert torch.equal(codes[:1], model.encode_audio(both[:1]))
    sounds = [Audio(clip, 32_000, 44_100, 2) for clip in both]
    assert not torch.equal(codes[0], codes[1])
    for given_as in (list(both), sounds, both[:, None], torch.from_numpy(both[:, None])):
        assert torch.equal(codes, model.encode_audio(given_as))


@pytest.mark.parametrize("shape", [(2, 6400), (6400, 2), (3, 6400)])
def test_channels_are_never_taken_for_rows(model: HookedMusicGen, shape: tuple[int, int]) -> None:
    with pytest.raises(AudioError, match=r"mix the channels.*list\(audio\)") as caught:
        model.encode_audio(np.zeros(shape, np.float32))
    assert caught.value.reason == "not_mono"


def test_audio_of_another_rate_is_refused_and_told_what_to_do(model: HookedMusicGen) -> None:
    audio = Audio(np.zeros(44_100, np.float32), 44_100, 44_100, 1)
    with pytest.raises(AudioError, match=r"44100 Hz\n.*32000 Hz\n.*resampled\(32000\)") as caught:
        model.encode_audio(audio)
    assert caught.value.reason == "wrong_rate"
    assert model.encode_audio(audio.resampled(32_000)).shape == (1, 4, 50)
