"""The audio tagger's spectra: those of `transformers`' extractor, bit by bit, without its loop.

The extractor's loop over frames in Python takes three times as long, as long as a small tagger
itself. Where torchaudio is installed, the extractor computes them otherwise; here they are the same
beside it.
"""

import warnings
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from leitmotif.audio.reading.samples import Samples

RATE = 16_000
FRAME, HOP = 400, 160
"""Length and hop of spectra in samples: 25 and 10 ms."""
_SIZE = 512
_PREEMPHASIS = 0.97
_FLOOR = 1.192092955078125e-07
"""What is added up in a band is at least this."""

Bands = NDArray[np.float32]


def log_mel(samples: Samples, bands: int) -> Bands:
    """Logarithm of the power in mel bands [frames, bands] of samples [n] at ``RATE``, n >= FRAME.

    Frames past the last whole one are left out.
    """
    filters, window = _filters(bands)
    frames = sliding_window_view(samples.astype(np.float64), FRAME)[::HOP]
    centred = frames - frames.mean(axis=1, keepdims=True)
    emphasised = centred.copy()
    emphasised[:, 1:] -= _PREEMPHASIS * centred[:, :-1]
    emphasised[:, 0] *= 1 - _PREEMPHASIS
    spectra = np.fft.rfft(emphasised * window, _SIZE).astype(np.complex64)
    power = np.abs(spectra, dtype=np.float64) ** 2.0
    return np.log(np.maximum(_FLOOR, filters.T @ power.T)).T.astype(np.float32)


def inputs_of(pieces: Sequence[Samples], bands: int, frames: int, mean: float, std: float) -> Bands:
    """What the transformer reads of pieces of samples: [pieces, frames, bands].

    Shorter ones are filled up with zeros before ``mean`` is taken away and all is divided by twice
    ``std``.
    """
    inputs = np.zeros((len(pieces), frames, bands), dtype=np.float32)
    for row, piece in zip(inputs, pieces, strict=True):
        found = log_mel(piece, bands)[:frames]
        row[: len(found)] = found
    return np.asarray((inputs - mean) / (std * 2), np.float32)


@cache
def _filters(bands: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from transformers.audio_utils import mel_filter_bank, window_function

    with warnings.catch_warnings():
        # With 128 bands, as published, some are narrower than a bin of the spectrum.
        warnings.filterwarnings("ignore", message="At least one mel filter has all zero")
        filters = mel_filter_bank(
            num_frequency_bins=_SIZE // 2 + 1,
            num_mel_filters=bands,
            min_frequency=20,
            max_frequency=RATE // 2,
            sampling_rate=RATE,
            norm=None,
            mel_scale="kaldi",
            triangularize_in_mel_space=True,
        )
    return filters, window_function(FRAME, "hann", periodic=False)
