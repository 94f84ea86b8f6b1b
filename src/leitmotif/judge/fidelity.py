"""How much of a clip an intervention left as it was: CLAP in short windows, loudness, spectrum."""

from collections.abc import Sequence
from dataclasses import dataclass

import librosa
import numpy as np
from numpy.typing import NDArray

from leitmotif.audio.decode import Samples, rms_dbfs
from leitmotif.errors import ModelError
from leitmotif.judge.clap import Clap

_FFT, _HOP, _BANDS = 2048, 640, 64
_FLOOR_DBFS = -80.0
"""Mel power below this counts as silence, so that silence against silence is no change."""


@dataclass(frozen=True)
class Fidelity:
    """A treated clip beside its baseline, which has the same length."""

    similarity: NDArray[np.floating]
    """[windows], CLAP cosine of each window with the baseline's at the same time; 1 is the same."""
    loudness_db: float
    """RMS level of the treated clip over the baseline's, in dB."""
    spectral_db: float
    """Root mean square difference of their mel spectra in dB over time and bands: the log-spectral
    distance of Gray and Markel (1976), on a mel scale; 0 is the same."""


def fidelity(
    clap: Clap,
    treated: Samples,
    baseline: Samples,
    sample_rate: int,
    *,
    window_seconds: float = 2.0,
) -> Fidelity:
    """Compare clips [n] at ``sample_rate`` in adjacent windows; what is left at the end is dropped.

    Raises ModelError for clips of unequal length, or shorter than a window.
    """
    return fidelities(clap, [treated], baseline, sample_rate, window_seconds=window_seconds)[0]


def fidelities(
    clap: Clap,
    treated: Sequence[Samples],
    baseline: Samples,
    sample_rate: int,
    *,
    window_seconds: float = 2.0,
) -> list[Fidelity]:
    """The same for several clips of one baseline, which is then listened to once."""
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
    heard = clap.embed_audio(windows, sample_rate).reshape(len(clips), count, -1)
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
    mel = librosa.feature.melspectrogram(
        y=clip.astype(np.float64), sr=sample_rate, n_fft=_FFT, hop_length=_HOP, n_mels=_BANDS
    )
    floor = 10 ** (_FLOOR_DBFS / 10)
    return np.asarray(librosa.power_to_db(mel, amin=floor, top_db=None))
