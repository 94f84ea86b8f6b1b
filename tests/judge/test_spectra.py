"""The tagger's spectra are those of `transformers`' extractor."""

import warnings

import numpy as np
import pytest
from transformers import ASTFeatureExtractor
from transformers.utils import is_speech_available

from leitmotif.judge.models.spectra import RATE, inputs_of, log_mel


@pytest.mark.parametrize("bands", [48, 64, 128])
def test_inputs_are_those_of_the_extractor(bands: int) -> None:
    random = np.random.default_rng(bands)
    lengths = [1_600, 1_759, 1_760, 9_001, RATE, 3 * RATE]
    pieces = [
        (scale * random.standard_normal(n)).astype(np.float32)
        for n, scale in zip(lengths, [0.1, 1.0, 1e-6, 0.0, 0.3, 0.01], strict=True)
    ]
    pieces.append(np.cumsum(pieces[0]).astype(np.float32) + 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        extractor = ASTFeatureExtractor(num_mel_bins=bands, max_length=200, mean=-4.5, std=4.0)
    theirs = np.stack(extractor(pieces, sampling_rate=RATE, return_tensors="np")["input_values"])
    ours = inputs_of(pieces, bands, 200, -4.5, 4.0)
    assert ours.dtype == np.float32
    if is_speech_available():  # with torchaudio the extractor computes otherwise
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
    else:
        np.testing.assert_array_equal(ours, theirs)


def test_frames_past_the_last_whole_one_are_left_out() -> None:
    samples = np.random.default_rng(0).standard_normal(400 + 160).astype(np.float32)
    assert log_mel(samples, 16).shape == (2, 16)
    assert log_mel(samples[:-1], 16).shape == (1, 16)
