"""What the public functions take as audio: one rule, here.

A clip is mono samples [n], as floating-point numbers with full scale at 1 or as integers of a sound
file, which are divided by their full scale, as libsndfile and torchaudio do. What could be meant in
two ways is refused: rows of a two-dimensional array may be channels or clips.
"""

from collections.abc import Iterator, Sequence
from numbers import Integral, Number
from typing import Any, NoReturn, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leitmotif.arguments import as_number, odd_storage
from leitmotif.errors import AudioError, LeitmotifError

Samples = NDArray[np.float32]

RATES = (1_000, 768_000)
"""Hz: lowest and highest sample rate of a recording."""

FULL_SCALES = {"uint8": (128, 128), "int16": (0, 1 << 15), "int32": (0, 1 << 31)}
"""Integers of sound files: what silence is, and what is divided by. 24 bits are stored in the upper
ones of 32, as scipy and soundfile give them."""

LOUDEST = 32.0
"""30 dB above full scale. Decoded and generated audio passes 1 by a little; samples beyond this
were integers that became floating-point numbers without being scaled."""


@runtime_checkable
class Sound(Protocol):
    """Samples that know their rate, such as what ``load_audio`` and ``compose`` return."""

    @property
    def samples(self) -> Samples:
        """[n]."""

    @property
    def sample_rate(self) -> int:
        """Hz."""


Clip = Sound | ArrayLike
"""One clip: mono samples [n] or [1, n] in an array, a tensor or a list of numbers, or a Sound."""
Clips = Clip | Sequence[Clip]
"""One clip, a list of clips, or clips of equal length in an array [B, 1, n]."""


def as_clip(
    audio: Clip, sample_rate: int | None = None, *, name: str = "the audio", channels: int = 1
) -> Samples:
    """Return one clip as float32 [n], or [channels, n] of several channels.

    Parameters
    ----------
    audio
        See ``Clip``.
    sample_rate
        Hz: what a ``Sound`` must have, which is checked; None takes any.
    name
        Of the audio, in errors.
    channels
        That a clip may have; mono audio is then in each of them.

    Raises
    ------
    AudioError
        With a reason: ``wrong_rate``; ``not_mono``, for any shape but [n] and [1, n];
        ``not_samples``, for another type than uint8, int16, int32 and floating-point numbers;
        ``non_finite``; ``out_of_range``, for samples beyond ``LOUDEST``.
    """
    if isinstance(audio, Sound):
        if sample_rate is not None and audio.sample_rate != sample_rate:
            raise AudioError(
                f"{name} has another sample rate",
                reason="wrong_rate",
                found=f"{audio.sample_rate} Hz",
                expected=f"{sample_rate} Hz",
                fix=f"audio.resampled({sample_rate}), or load_audio at that rate",
            )
        audio = audio.samples
    array = _array(audio, name)
    if array.ndim == 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 1 and not (array.ndim == 2 and array.shape[0] == channels):
        _refuse_shape(array, name)
    samples = _checked(_scaled(array, name), name)
    return samples if min(channels, 2) == samples.ndim else np.stack([samples] * channels)


def as_clips(audio: Clips, sample_rate: int | None = None, *, channels: int = 1) -> list[Samples]:
    """Return clips, as ``as_clip`` does each; for parameters and errors see there.

    A two-dimensional array of several rows is refused, as its rows may be the channels of one
    clip. ``list(array)`` says that they are clips, ``array.mean(0)`` mixes channels.
    """
    several = list(_several(audio, channels))
    names = ["the audio"] if len(several) == 1 else [f"clip {row}" for row in range(len(several))]
    return [
        as_clip(clip, sample_rate, name=name, channels=channels)
        for name, clip in zip(names, several, strict=True)
    ]


def rate_of(audio: Clips, sample_rate: int | None) -> int:
    """Return the rate of clips in Hz: the one given, or else that of what knows its own.

    Raises LeitmotifError where neither says it, or where it is none.
    """
    if sample_rate is None:
        known = next((clip for clip in _several(audio) if isinstance(clip, Sound)), None)
        sample_rate = known.sample_rate if known is not None else None
    return check_rate(sample_rate)


def check_rate(sample_rate: object) -> int:
    """Return the rate in Hz; raises LeitmotifError for what is no rate between 1 and 768 kHz."""
    whole = isinstance(sample_rate, Integral) and not isinstance(sample_rate, bool)
    if not whole or not RATES[0] <= sample_rate <= RATES[1]:  # type: ignore[operator]
        raise LeitmotifError(
            "this is no sample rate",
            found=repr(sample_rate),
            expected=f"a whole number of Hz, {RATES[0]:,} to {RATES[1]:,}",
        )
    return int(sample_rate)  # type: ignore[call-overload]


def check_section(start_seconds: object, seconds: object) -> None:
    """Raise LeitmotifError unless these are a start of 0 or more and a length above 0, or None."""
    if not _is_number(start_seconds) or start_seconds < 0:  # type: ignore[operator]
        raise LeitmotifError(
            "a section cannot start there",
            found=f"start_seconds={start_seconds!r}",
            expected="a finite number of seconds, 0 or more",
        )
    if seconds is not None and (not _is_number(seconds) or seconds <= 0):  # type: ignore[operator]
        raise LeitmotifError(
            "a section cannot have this length",
            found=f"seconds={seconds!r}",
            expected="a finite number of seconds above 0, or None for all that follows",
        )


def _several(audio: Any, channels: int = 1) -> Iterator[Any]:
    """The clips, one by one, as they were given."""
    listed = isinstance(audio, list | tuple) and not any(isinstance(x, Number) for x in audio[:1])
    if hasattr(audio, "detach") and odd_storage(audio):
        yield audio  # for ``_array`` to refuse
    elif listed or (getattr(audio, "ndim", 0) == 3 and audio.shape[1] in (1, channels)):
        yield from audio
    else:
        yield audio


def _array(audio: Any, name: str) -> NDArray[Any]:
    """Samples of any kind as an array, tensors of any device and precision included."""
    if isinstance(audio, np.ma.MaskedArray) and (hidden := np.count_nonzero(audio.mask)):
        raise _no_samples(f"{hidden} masked samples", name)
    if hasattr(audio, "detach"):
        if found := odd_storage(audio):
            raise _no_samples(found, name)
        audio = audio.detach().cpu()
        audio = audio.float() if "bfloat16" in str(audio.dtype) else audio
    try:
        return np.asarray(audio)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _no_samples(f"{type(audio).__name__}: {error}", name) from error


def _refuse_shape(array: NDArray[Any], name: str) -> NoReturn:
    if not array.shape:
        raise _no_samples(repr(array.item())[:200], name)
    raise AudioError(
        f"{name} is not mono",
        reason="not_mono",
        found=f"shape {array.shape}",
        expected="samples [n], a list of clips [n], or an array [B, 1, n]",
        fix="mix the channels: audio.mean(0) of [channels, n], audio.mean(1) of [n, channels]; "
        "if each row is a clip of its own, list(audio)",
    )


def _scaled(array: NDArray[Any], name: str) -> Samples:
    """Samples as float32 with full scale at 1."""
    kind = array.dtype.name
    if kind in FULL_SCALES:
        silence, full = FULL_SCALES[kind]
        return np.asarray((array.astype(np.float64) - silence) / full, np.float32)
    if array.dtype.kind != "f":
        raise _no_samples(f"dtype {kind}", name)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        return np.ascontiguousarray(array, np.float32)


def _checked(samples: Samples, name: str) -> Samples:
    if not np.isfinite(samples).all():
        raise AudioError(
            f"{name} has samples that are no numbers",
            reason="non_finite",
            found=f"{np.count_nonzero(~np.isfinite(samples))} NaN or infinite of {samples.size}",
            expected="finite samples",
        )
    if samples.size and (peak := float(max(samples.max(), -samples.min()))) > LOUDEST:
        raise AudioError(
            f"{name} is not scaled",
            reason="out_of_range",
            found=f"samples up to {peak:.6g}",
            expected=f"full scale at 1, at most {LOUDEST:g}",
            fix="divide what was 16-bit integers by 32768",
        )
    return samples


def _no_samples(found: str, name: str) -> AudioError:
    return AudioError(
        f"{name} is no audio",
        reason="not_samples",
        found=found,
        expected=f"floating-point samples [n] with full scale at 1, or {', '.join(FULL_SCALES)}",
        fix="read files with load_audio(path, sample_rate=...)",
    )


def _is_number(value: object) -> bool:
    return as_number(value) is not None
