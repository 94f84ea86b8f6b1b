"""Similarity of a clip to its baseline: CLAP in short windows, loudness and spectrum."""

from collections.abc import Sequence
from dataclasses import dataclass

import librosa
import numpy as np
from numpy.typing import NDArray

from leitmotif.audio.compiled import lock_compiled
from leitmotif.audio.decode import rms_dbfs
from leitmotif.audio.reading.samples import Samples
from leitmotif.errors import ModelError
from leitmotif.judge.models.clap import Clap

_FFT, _HOP, _BANDS = 2048, 640, 64
_FLOOR_DBFS = -80.0
"""Mel power below this level counts as silence, so that silence compared with silence is no
change."""


@dataclass(frozen=True)
class Fidelity:
    """Comparison of a treated clip with its baseline of the same length."""

    similarity: NDArray[np.floating]
    """[windows], CLAP cosine of each window with the baseline's window at the same time; 1 means
    equal."""
    loudness_db: float
    """RMS level of the treated clip relative to the baseline, in dB."""
    spectral_db: float
    """Root mean square difference of the mel spectra in dB over time and bands: the log-spectral
    distance of Gray and Markel (1976) on a mel scale; 0 means equal."""


def fidelities(
    clap: Clap,
    treated: Sequence[Samples],
    baseline: Samples,
    sample_rate: int,
    *,
    window_seconds: float = 2.0,
) -> list[Fidelity]:
    """Compare clips with their baseline in adjacent windows; an incomplete last window is dropped.

    Parameters
    ----------
    clap
        The model that embeds the windows.
    treated
        Mono clips [n], each of the baseline's length.
    baseline
        A mono clip [n], which is embedded once.
    sample_rate
        Of all clips, in Hz.
    window_seconds
        Length of a window.

    Returns
    -------
    list of Fidelity
        One for each treated clip.

    Raises
    ------
    ModelError
        If the clips differ in length or are shorter than a window.
    """
    length = round(window_seconds * sample_rate)
    for clip in treated:
        if clip.shape != baseline.shape or clip.ndim != 1 or len(clip) < length:
            raise ModelError(
                "these clips cannot be compared",
                found=f"shapes {clip.shape} and {baseline.shape}",
                expected=f"both [n], of one length, at least {length} samples",
            )
    count = len(baseline) // length
    clips = [baseline, *treated]
    windows = np.concatenate([clip[: count * length].reshape(-1, length) for clip in clips])
    heard = clap.embed_audio(list(windows), sample_rate).reshape(len(clips), count, -1)
    spectra = [_mel_db(clip, sample_rate) for clip in clips]
    return [
        Fidelity(
            similarity=(heard[number] * heard[0]).sum(1),
            loudness_db=float(rms_dbfs(clip) - rms_dbfs(baseline)),
            spectral_db=float(np.sqrt(np.mean((spectra[number] - spectra[0]) ** 2))),
        )
        for number, clip in enumerate(treated, start=1)
    ]


def _mel_db(clip: Samples, sample_rate: int) -> NDArray[np.float64]:
    lock_compiled()
    mel = librosa.feature.melspectrogram(
        y=clip.astype(np.float64), sr=sample_rate, n_fft=_FFT, hop_length=_HOP, n_mels=_BANDS
    )
    floor = 10 ** (_FLOOR_DBFS / 10)
    return np.asarray(librosa.power_to_db(mel, amin=floor, top_db=None))
