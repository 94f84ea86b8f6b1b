"""Traces of recording and encoding that identify a file independently of its music.

A feature that predicts a recurrence may only have recognised the file, by its encoder's low-pass,
its bit rate or its level. These measures serve as controls for this. They are computed on the
decoded file at its own rate, before mixing and resampling.
"""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from leitmotif.audio.decode import Recording, rms_dbfs
from leitmotif.tables.base import SampleRate, Table

Mono = NDArray[np.floating]
"""Mono audio [n], full scale at 1; float64 input is measured in float64."""

CLIPPED = 0.999
"""Minimum magnitude of a clipped sample; lossy decoding moves it slightly away from 1."""

_SILENCE_FRAME_SECONDS = 0.02
_SPECTRUM_SECONDS = 0.1  # 10 Hz a bin
_LOWEST_CUTOFF_HZ = 2000.0
"""Encoders do not cut below this frequency, where even a bass part makes a steep drop."""

_SMOOTHING_HZ = 500.0
_TRANSITION_HZ = 300.0
_CLIFF_DB = 20.0
_EDGE_DB = 6.0
_FLOOR_DB = -150.0
"""Below the rounding noise of 16 bits (-133 dBFS per bin), above the noise of a decoder."""


class SourceArtifacts(Table):
    """A row of data/features/artifacts.jsonl."""

    KEY = ("track_id",)

    track_id: str
    sample_rate: SampleRate
    """Sample rate of the file in Hz."""
    channels: Annotated[int, Field(gt=0)]
    bit_rate: Annotated[float, Field(ge=0)]
    """File size over duration, in kbit/s."""
    cutoff_hz: Annotated[float, Field(gt=0)]
    """Frequency at which the long-term spectrum drops steeply, as after an encoder's low-pass; half
    of the sample rate if it does not."""
    peak: Annotated[float, Field(ge=0)]
    """Largest magnitude of any channel. 1 is full scale; decoders may exceed it."""
    loudness: float
    """RMS level of all channels in dBFS."""
    clipped: Annotated[float, Field(ge=0, le=1)]
    """Fraction of samples at 0.999 of full scale or more."""
    silence: Annotated[float, Field(ge=0, le=1)]
    """Fraction of 20-ms frames below ``features.silence_dbfs``."""
    dc_offset: float
    """Mean sample value of the channel in which its magnitude is largest."""


def measure_artifacts(
    recording: Recording, *, track_id: str, file_bytes: int, silence_dbfs: float
) -> SourceArtifacts:
    """Measure a decoded file.

    Parameters
    ----------
    recording
        The whole file, at least one sample.
    track_id
        Its id in the manifest.
    file_bytes
        Size of the encoded file.
    silence_dbfs
        RMS level below which a frame of 20 ms is silent.
    """
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
    """Frequency in Hz at which the long-term spectrum of mono audio [n] drops steeply.

    A running median over 500 Hz smooths the spectrum in dB; it removes partials and keeps edges. A
    drop is a frequency at which the spectrum lies 20 dB above everything that is 600 Hz or more
    above it. The search starts at 2 kHz, and the highest drop counts. The result is the last
    frequency within 6 dB of the level before the drop. Without a drop it is half of the sample
    rate: music whose spectrum falls gradually, or is full, shows no low-pass.
    """
    # Here: they take a second to import, and most of what needs SourceArtifacts measures nothing.
    from scipy.ndimage import median_filter
    from scipy.signal import welch

    nyquist = sample_rate / 2
    length = min(len(samples), round(_SPECTRUM_SECONDS * sample_rate))
    step = sample_rate / length
    smoothing, reach = round(_SMOOTHING_HZ / step), round(_TRANSITION_HZ / step)
    _, power = welch(samples, sample_rate, nperseg=length, detrend=False, scaling="spectrum")
    if min(smoothing, reach) < 1 or len(power) <= 2 * reach:  # too short to tell
        return nyquist
    level = 10 * np.log10(np.maximum(power, 10 ** (_FLOOR_DB / 10)))
    level = median_filter(level, smoothing | 1, mode="nearest")
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
    """The last run of true values, or None."""
    true = np.flatnonzero(mask)
    if not len(true):
        return None
    gaps = np.flatnonzero(np.diff(true) > 1)
    return slice(int(true[gaps[-1] + 1] if len(gaps) else true[0]), int(true[-1]) + 1)


def _silent_fraction(mono: Mono, sample_rate: int, silence_dbfs: float) -> float:
    width = min(len(mono), round(_SILENCE_FRAME_SECONDS * sample_rate))
    frames = mono[: len(mono) // width * width].reshape(-1, width)
    return float(np.mean(rms_dbfs(frames) < silence_dbfs))
