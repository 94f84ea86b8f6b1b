"""Traces of recording and encoding, by which a model could tell tracks apart without hearing music.

A feature that predicts a recurrence may only have recognised the file: its encoder's low-pass, its
bit rate, its level. These measures are the control for that. They are taken from the decoded file
at its own rate, before mixing and resampling.
"""

from typing import Annotated

import numpy as np
import scipy.ndimage
import scipy.signal
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from leitmotif.audio.decode import Recording, rms_dbfs

Mono = NDArray[np.floating]
"""[n], full scale at 1; measured in float64 if given in float64."""

CLIPPED = 0.999
"""Magnitude from which a sample counts as clipped; lossy decoding moves it a little off 1."""

_SILENCE_FRAME_SECONDS = 0.02
_SPECTRUM_SECONDS = 0.1  # 10 Hz a bin
_LOWEST_CUTOFF_HZ = 2000.0
"""Encoders cut no lower; below, a bass part alone makes a cliff."""

_SMOOTHING_HZ = 500.0
_TRANSITION_HZ = 300.0
_CLIFF_DB = 20.0
_EDGE_DB = 6.0
_FLOOR_DB = -150.0
"""Below the rounding noise of 16 bits (-133 dBFS per bin), above that of a decoder's arithmetic."""


class SourceArtifacts(BaseModel):
    """A row of data/features/artifacts.jsonl."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    track_id: str
    sample_rate: Annotated[int, Field(gt=0)]
    """Hz, of the file."""
    channels: Annotated[int, Field(gt=0)]
    bit_rate: Annotated[float, Field(ge=0)]
    """kbit/s: the file's size over its duration."""
    cutoff_hz: Annotated[float, Field(gt=0)]
    """Where the long-term spectrum falls off a cliff, as behind an encoder's low-pass; half the
    sample rate where it does not."""
    peak: Annotated[float, Field(ge=0)]
    """Largest magnitude of any channel; 1 is full scale, decoders may exceed it."""
    loudness: float
    """RMS level of all channels in dBFS."""
    clipped: Annotated[float, Field(ge=0, le=1)]
    """Fraction of samples at 0.999 of full scale or more."""
    silence: Annotated[float, Field(ge=0, le=1)]
    """Fraction of 20-ms frames below ``features.silence_dbfs``."""
    dc_offset: float
    """Mean sample value of the channel where it is largest in magnitude."""


def measure_artifacts(
    recording: Recording, *, track_id: str, file_bytes: int, silence_dbfs: float
) -> SourceArtifacts:
    """Measure a whole decoded file of at least one sample."""
    samples, rate = recording.samples, recording.sample_rate
    # float64: sums in float32 depend on the processor's width.
    wide = samples.astype(np.float64)
    seconds = len(samples) / rate
    magnitude = np.abs(samples)
    means = wide.mean(axis=0)
    mono = wide.mean(axis=1)
    return SourceArtifacts(
        track_id=track_id,
        sample_rate=rate,
        channels=recording.channels,
        bit_rate=round(file_bytes * 8 / seconds / 1000, 2),
        cutoff_hz=round(cutoff_frequency(mono, rate), 1),
        peak=round(float(magnitude.max()), 5),
        loudness=round(float(rms_dbfs(wide.reshape(-1))), 2),
        clipped=round(float(np.mean(magnitude >= CLIPPED)), 7),
        silence=round(_silent_fraction(mono, rate, silence_dbfs), 5),
        dc_offset=round(float(means[np.abs(means).argmax()]), 6),
    )


def cutoff_frequency(samples: Mono, sample_rate: int) -> float:
    """Frequency in Hz where the long-term spectrum of mono audio [n] ends in a cliff.

    The spectrum, in dB, is smoothed by a running median over 500 Hz, which removes partials and
    keeps edges. A cliff is where it lies 20 dB above everything 600 Hz and more further up; it is
    sought from 2 kHz, and of several the highest counts. Returned is the last frequency within 6 dB
    of the level before the fall. Without a cliff that is half the sample rate: music that fades
    out gradually, or fills the spectrum, shows no low-pass.
    """
    nyquist = sample_rate / 2
    length = min(len(samples), round(_SPECTRUM_SECONDS * sample_rate))
    step = sample_rate / length
    smoothing, reach = round(_SMOOTHING_HZ / step), round(_TRANSITION_HZ / step)
    _, power = scipy.signal.welch(
        samples, sample_rate, nperseg=length, detrend=False, scaling="spectrum"
    )
    if min(smoothing, reach) < 1 or len(power) <= 2 * reach:  # too short to tell
        return nyquist
    level = 10 * np.log10(np.maximum(power, 10 ** (_FLOOR_DB / 10)))
    level = scipy.ndimage.median_filter(level, smoothing | 1, mode="nearest")
    loudest_above = np.maximum.accumulate(level[::-1])[::-1]
    # fall[i]: from bin i to the loudest of bins i + 2 reach and up.
    fall = level[: -2 * reach] - loudest_above[2 * reach :]
    fall[: round(_LOWEST_CUTOFF_HZ / step)] = 0
    cliff = _last_run(fall >= _CLIFF_DB)
    if cliff is None:
        return nyquist
    start = cliff.start + int(fall[cliff].argmax())
    across = level[start : start + 2 * reach]
    return (start + int(np.flatnonzero(across >= across[0] - _EDGE_DB)[-1])) * step


def _last_run(mask: NDArray[np.bool_]) -> slice | None:
    """The last stretch of true values, or None."""
    true = np.flatnonzero(mask)
    if not len(true):
        return None
    gaps = np.flatnonzero(np.diff(true) > 1)
    return slice(int(true[gaps[-1] + 1] if len(gaps) else true[0]), int(true[-1]) + 1)


def _silent_fraction(mono: Mono, sample_rate: int, silence_dbfs: float) -> float:
    width = min(len(mono), round(_SILENCE_FRAME_SECONDS * sample_rate))
    frames = mono[: len(mono) // width * width].reshape(-1, width)
    return float(np.mean(rms_dbfs(frames) < silence_dbfs))
