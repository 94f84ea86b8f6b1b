"""Chroma, energy and onset strength, on frames of their own: 50 a second.

Frame f stands for samples [640 f, 640 f + 640) of the 32 kHz audio, and all arrays have n // 640
frames. A model whose codec has the same frames, as MusicGen's, sees them line up with codes and
activations one to one; with any other, they are matched by seconds (``leitmotif.timing.frames``).
What a frame's value depends on:

==========  =====================================================================================
``energy``  only those 640 samples
``onset``   two spectra of 2048 samples, centred on frames f - 1 and f: up to 1024 samples (32 ms)
            past the middle of the frame
``chroma``  windows centred on frame f, longer for lower notes: 26 / frequency seconds to either
            side and the filters between octaves, measured 0.92 s at C1; and the track's tuning
==========  =====================================================================================

Onset and chroma therefore use a little of the future. Code that may use only the past must delay
them by that amount.

Everything is computed in float64 and rounded to steps of 2^-16. Results of float32 differ between
processors in the last digits; the rounded results do not.
"""

from dataclasses import dataclass

import librosa
import numpy as np
import soxr
from numpy.typing import NDArray

from leitmotif.audio.compiled import lock_compiled
from leitmotif.audio.decode import rms_dbfs
from leitmotif.audio.reading.samples import Clip, Samples, as_clip
from leitmotif.errors import LeitmotifError
from leitmotif.tensors import on_grid

SAMPLE_RATE = 32_000
HOP = 640
"""Samples per frame."""

_CHROMA_RATE = 16_000
"""Chroma ends at B7 (3951 Hz), so half of the rate suffices and takes half of the time."""

_BINS_PER_OCTAVE = 36
_ONSET_FFT = 2048
_ONSET_FLOOR = 1e-6
"""Mel power of white noise at about -80 dBFS. This floor is absolute. librosa's default would make
frames depend on the loudest frame of the track."""


@dataclass(frozen=True)
class Features:
    """Features of a track: float32 in steps of 2^-16, one column or entry per frame."""

    chroma: NDArray[np.float32]
    """[12, frames], C to B, each frame's maximum scaled to 1 (librosa's ``chroma_cqt``, C1 to B7).
    In near-silence it is the chroma of noise: weight it by energy."""
    energy: NDArray[np.float32]
    """[frames], RMS level in dBFS, at least -120."""
    onset: NDArray[np.float32]
    """[frames], mean rise over the previous frame in dB across 128 mel bands; 0 at frame 0."""
    tuning_cents: float
    """Estimated deviation from A4 = 440 Hz that chroma is corrected for, within ±17 cents."""


def extract_features(audio: Clip) -> Features:
    """Extract the features of mono 32 kHz audio [n], n >= 640.

    Raises AudioError for what is no such audio, as ``as_clip`` does, and LeitmotifError for less.
    """
    samples = as_clip(audio, SAMPLE_RATE)
    frames = len(samples) // HOP
    if frames == 0:
        raise LeitmotifError(
            "these samples are too few", found=len(samples), expected=f"{HOP} or more"
        )
    lock_compiled()
    chroma, tuning_cents = _chroma(samples, frames)
    return Features(chroma, frame_energy(samples), _onset(samples, frames), tuning_cents)


def frame_energy(samples: Samples) -> NDArray[np.float32]:
    """RMS level in dBFS of each frame's own samples: [n] -> [n // 640]."""
    frames = len(samples) // HOP
    return on_grid(rms_dbfs(samples[: frames * HOP].reshape(frames, HOP)))


def _chroma(samples: Samples, frames: int) -> tuple[NDArray[np.float32], float]:
    """[n] -> [12, frames] and the tuning in cents."""
    padded = _centred(samples, frames, at_least=3 * SAMPLE_RATE)
    halved = soxr.resample(padded, SAMPLE_RATE, _CHROMA_RATE, quality="HQ")
    tuning = librosa.estimate_tuning(
        y=halved, sr=_CHROMA_RATE, bins_per_octave=_BINS_PER_OCTAVE, resolution=0.01
    )
    chroma = librosa.feature.chroma_cqt(
        y=halved,
        sr=_CHROMA_RATE,
        hop_length=HOP * _CHROMA_RATE // SAMPLE_RATE,
        bins_per_octave=_BINS_PER_OCTAVE,
        tuning=tuning,
    )
    cents = round(float(tuning) * 1200 / _BINS_PER_OCTAVE, 2)
    return on_grid(chroma[:, :frames]), cents


def _onset(samples: Samples, frames: int) -> NDArray[np.float32]:
    """[n] -> [frames]: rectified spectral flux of the log-mel spectrogram."""
    mel = librosa.feature.melspectrogram(
        y=_centred(samples, frames, at_least=_ONSET_FFT),
        sr=SAMPLE_RATE,
        n_fft=_ONSET_FFT,
        hop_length=HOP,
    )
    level = librosa.power_to_db(mel, amin=_ONSET_FLOOR, top_db=None)[:, :frames]
    # center=True would shift the result by another frame, because the spectra are already centred.
    from librosa.onset import onset_strength  # here, as it takes a second

    onset = onset_strength(S=level, sr=SAMPLE_RATE, center=False)
    return on_grid(onset)


def _centred(samples: Samples, frames: int, *, at_least: int) -> NDArray[np.float64]:
    """Drop half a frame, so that librosa's frame f, centred on sample 640 f, is our frame f.

    Zeros at the end, which librosa would add itself, restore the length and keep librosa's windows
    shorter than the signal.
    """
    shifted = samples[HOP // 2 : frames * HOP].astype(np.float64)
    missing = max(at_least, frames * HOP) - len(shifted)
    return np.pad(shifted, (0, missing))
