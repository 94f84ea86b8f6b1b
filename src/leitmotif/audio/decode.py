"""Recordings as arrays: verifying, decoding (wav, flac, ogg, mp3), mixing, resampling, checking.

Decoding is libsndfile's (by soundfile), resampling is soxr's at its ``HQ`` setting, whose pass band
reaches 0.91 of the lower Nyquist frequency.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from leitmotif.audio.reading.failures import named_failure
from leitmotif.audio.reading.layout import Remark
from leitmotif.audio.reading.samples import LOUDEST, Samples, check_rate, check_section
from leitmotif.audio.reading.source import blocks, changed_meanwhile, opened, state_of
from leitmotif.audio.writing import described, player
from leitmotif.errors import AudioError, counted
from leitmotif.files import sha256_file
from leitmotif.files.restoring import how_to_restore

_MARGIN_SECONDS = 1
"""Decoded on either side of a section as context for the resampler's filter, which spans a few
ms."""

LONGEST = 1 << 29
"""Samples in all channels that are decoded into memory at once: 2 GiB as float32."""

_SILENCE_WINDOW_SECONDS = 0.1


@dataclass(frozen=True)
class Recording:
    """A decoded file: ``samples`` float32 [n, channels] at the file's rate, full scale at 1."""

    samples: Samples
    sample_rate: int
    start_seconds: int
    """Time in the file at which ``samples`` begins."""
    remark: Remark | None = None
    """What its container leaves unclear."""

    @property
    def channels(self) -> int:
        """Number of channels in the file."""
        return int(self.samples.shape[1])


@dataclass(frozen=True)
class Audio:
    """Mono audio at the requested rate: ``samples`` float32 [n], full scale at 1."""

    samples: Samples
    sample_rate: int
    source_sample_rate: int
    source_channels: int
    remark: Remark | None = None
    """What is unclear of the file: ``length_unknown``, ``header_wrong`` or ``damaged``."""
    source: str | None = None
    """Path of the file, as it was given."""

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / self.sample_rate

    def resampled(self, sample_rate: int) -> "Audio":
        """Return the same audio at another rate in Hz (soxr's ``HQ``); raises LeitmotifError."""
        check_rate(sample_rate)
        if sample_rate == self.sample_rate:
            return self
        samples = soxr.resample(self.samples, self.sample_rate, sample_rate, quality="HQ")
        made = np.ascontiguousarray(samples, dtype=np.float32)
        return replace(self, samples=made, sample_rate=sample_rate)

    def __repr__(self) -> str:
        """Say length, rate, level, and where it comes from, in a line."""
        of = "" if self.source is None else f", of {self.source}"
        if (self.source_sample_rate, self.source_channels) != (self.sample_rate, 1):
            channels = counted(self.source_channels, "channel")
            of += f" ({self.source_sample_rate} Hz, {channels})"
        remark = f", {self.remark.reason}" if self.remark else ""
        return f"Audio({described(self.samples, self.sample_rate)}{of}{remark})"

    def _repr_html_(self) -> str:
        return player(self.samples, self.sample_rate, repr(self))


def verify_audio(path: Path, sha256: str) -> None:
    """Raise AudioError if the file does not exist (``missing``) or has another hash
    (``checksum``)."""
    if not path.is_file():
        raise AudioError(
            f"{path} does not exist",
            reason="missing",
            fix=how_to_restore("corpus"),
        )
    actual = sha256_file(path)
    if actual != sha256:
        raise AudioError(
            f"{path} is not the file of the manifest",
            reason="checksum",
            found=f"SHA-256 {actual}",
            expected=f"SHA-256 {sha256}",
            fix="run `dvc repro manifest`, or `dvc checkout` if the file was changed by mistake",
        )


@contextmanager
def verified(path: Path, sha256: str) -> Iterator[None]:
    """Verify a file, and that nobody writes to it while it is read within the block.

    Raises AudioError as ``verify_audio`` does, and ``changed`` after the block.
    """
    verify_audio(path, sha256)
    before = state_of(path)
    yield
    if state_of(path) != before:
        raise changed_meanwhile(path)


def read_recording(
    path: Path | str, *, start_seconds: float = 0.0, seconds: float | None = None
) -> Recording:
    """Decode a file, or the whole seconds that cover a section of it.

    The length is that of what was decoded, whatever the header says.

    Parameters
    ----------
    path
        The file.
    start_seconds
        Start of the section.
    seconds
        Length of the section; None reads to the end.

    Raises
    ------
    AudioError
        With a reason of ``source.opened`` or ``source.blocks``; ``too_long`` if there are more than
        ``LONGEST`` samples in all channels (100 minutes of stereo at 44.1 kHz); ``memory`` if there
        is too little memory.
    """
    check_section(start_seconds, seconds)
    start = max(0, int(start_seconds) - _MARGIN_SECONDS)
    with named_failure(path), opened(path) as source:
        rate = source.sample_rate
        # From the beginning: seeking in a damaged or odd MP3 is not exact to the sample.
        end = None if seconds is None else math.ceil(start_seconds + seconds) + _MARGIN_SECONDS
        kept, count, first = [], 0, start * rate
        for block in blocks(source, stop=None if end is None else end * rate):
            part = block[max(0, first - count) :]
            count += len(block)
            if (count - first) * source.channels > LONGEST:
                raise AudioError(
                    f"{path} is too long to be decoded as a whole",
                    reason="too_long",
                    found=f"more than {LONGEST} samples in {source.channels} channels",
                    expected=f"at most {LONGEST} samples in all channels",
                    fix="cut the recording into parts, or mix it down to mono",
                )
            if len(part):
                kept.append(part)
        empty = np.zeros((0, source.channels), np.float32)
        samples = np.concatenate(kept) if kept else empty
        return Recording(samples, rate, start, source.remark)


def to_mono(recording: Recording, sample_rate: int) -> Audio:
    """Mix the channels with equal weights, then resample to ``sample_rate`` in Hz."""
    # Sum in a fixed order: numpy's order depends on the memory layout.
    mono = recording.samples[:, 0].astype(np.float32)
    for channel in range(1, recording.channels):
        mono = mono + recording.samples[:, channel]
    mono = mono / np.float32(recording.channels)
    resampled = soxr.resample(mono, recording.sample_rate, sample_rate, quality="HQ")
    return Audio(
        np.ascontiguousarray(resampled, dtype=np.float32),
        sample_rate,
        recording.sample_rate,
        recording.channels,
        recording.remark,
    )


def load_audio(
    path: Path | str,
    *,
    sample_rate: int,
    start_seconds: float = 0.0,
    seconds: float | None = None,
) -> Audio:
    """Load a file, or a section of it, as mono audio.

    A section has the same samples as the whole file at that place. It is shorter than ``seconds``
    if the file ends earlier.

    Parameters
    ----------
    path: a wav, flac, ogg or mp3 file.
    sample_rate: of the result, in Hz: 1,000 to 768,000.
    start_seconds: start of the section, 0 or more.
    seconds: length of the section, above 0; None reads to the end.

    Returns
    -------
    The audio: samples float32 [n], full scale at 1, with its rate and what is known of the file.

    Raises AudioError for the same reasons as ``read_recording``, and LeitmotifError for a rate,
    start or length that is out of range.

    Example
    -------
    >>> import leitmotif, soundfile, tempfile
    >>> [piece] = leitmotif.compose(1, seed=3)
    >>> with tempfile.NamedTemporaryFile(suffix=".wav") as file:
    ...     soundfile.write(file.name, piece.samples, piece.sample_rate)
    ...     audio = load_audio(file.name, sample_rate=16_000, seconds=2.0)
    >>> len(audio.samples), audio.sample_rate, audio.source_sample_rate
    (32000, 16000, 32000)
    """
    check_rate(sample_rate)
    recording = read_recording(path, start_seconds=start_seconds, seconds=seconds)
    audio = to_mono(recording, sample_rate)
    first = round((start_seconds - recording.start_seconds) * sample_rate)
    last = None if seconds is None else first + round(seconds * sample_rate)
    return Audio(
        audio.samples[first:last],
        sample_rate,
        audio.source_sample_rate,
        audio.source_channels,
        audio.remark,
        str(path),
    )


def check_audio(audio: Audio, *, min_seconds: float, silence_dbfs: float, name: str) -> None:
    """Raise AudioError if audio cannot be used.

    Parameters
    ----------
    audio
        The audio to check.
    min_seconds
        Minimum duration.
    silence_dbfs
        RMS level that at least one section of 100 ms must reach.
    name
        Name of the audio in the message.

    Raises
    ------
    AudioError
        With the reason ``non_finite``, ``out_of_range``, ``too_short`` or ``silent``.
    """
    if not np.isfinite(audio.samples).all():
        count = int(np.count_nonzero(~np.isfinite(audio.samples)))
        raise AudioError(
            f"{name} has samples that are no numbers",
            reason="non_finite",
            found=f"{count} NaN or infinite samples of {audio.samples.size} after resampling",
            expected="finite samples",
            fix="export the file again",
        )
    if audio.samples.size and (peak := float(np.abs(audio.samples).max())) > LOUDEST:
        raise AudioError(
            f"{name} is not scaled",
            reason="out_of_range",
            found=f"samples up to {peak:.6g}",
            expected=f"full scale at 1, at most {LOUDEST:g}",
            fix="divide what was 16-bit integers by 32768, and export the file again",
        )
    if audio.seconds < min_seconds:
        raise AudioError(
            f"{name} is too short",
            reason="too_short",
            found=f"{audio.seconds:.2f} s",
            expected=f"at least {min_seconds} s",
            fix="lower min_seconds, or leave the file out",
        )
    level = _loudest_dbfs(audio)
    if level < silence_dbfs:
        raise AudioError(
            f"{name} is silent",
            reason="silent",
            found=f"{level:.1f} dBFS in its loudest {_SILENCE_WINDOW_SECONDS * 1000:.0f} ms",
            expected=f"at least {silence_dbfs} dBFS",
            fix="lower silence_dbfs, or leave the file out",
        )


def rms_dbfs(frames: NDArray[np.floating], *, floor: float = -120.0) -> NDArray[np.float64]:
    """RMS level [...] of frames [..., samples] in dB relative to a full-scale square wave.

    Levels are at least ``floor``, so that digital silence is finite.
    """
    # Sums in float64 without a copy of the audio in float64.
    energy = np.einsum("...n,...n->...", frames, frames, dtype=np.float64)
    power = energy / frames.shape[-1]
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (floor / 10))))


def _loudest_dbfs(audio: Audio) -> float:
    width = max(1, int(_SILENCE_WINDOW_SECONDS * audio.sample_rate))
    whole = audio.samples[: len(audio.samples) // width * width].reshape(-1, width)
    if not len(whole):  # shorter than one window
        whole = audio.samples[np.newaxis]
    return float(rms_dbfs(whole).max()) if whole.size else -np.inf
