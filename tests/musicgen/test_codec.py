"""Samples to codes and back, and what is not audio."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif.errors import ModelError
from leitmotif.musicgen import HookedMusicGen
from tests.tiny import tiny_musicgen


@settings(max_examples=10)
@given(samples=st.integers(640, 9000), rows=st.integers(1, 2))
def test_codes_are_whole_frames(model: HookedMusicGen, samples: int, rows: int) -> None:
    audio = torch.randn(rows, samples, generator=torch.Generator().manual_seed(samples))
    codes = model.encode_audio(audio)
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


@pytest.mark.parametrize(
    "audio",
    [np.zeros(639), np.zeros((1, 1, 6400)), np.full(6400, np.nan), np.full(6400, np.inf)],
    ids=["short", "three axes", "NaN", "infinite"],
)
def test_what_is_not_audio_is_refused(model: HookedMusicGen, audio: np.ndarray) -> None:
    with pytest.raises(ModelError, match="finite mono samples"):
        model.encode_audio(audio)
