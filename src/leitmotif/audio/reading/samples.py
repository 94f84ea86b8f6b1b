"""What the public functions take as audio: checked once, here."""

import math
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leitmotif.errors import LeitmotifError

Samples = NDArray[np.float32]

RATES = (1_000, 768_000)
"""Hz: lowest and highest sample rate of a recording."""


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


def check_samples(samples: ArrayLike) -> Samples:
    """Return mono samples as float32 [n].

    Raises LeitmotifError for integers (they would need scaling), more than one channel, and
    samples that are NaN or infinite.
    """
    array = np.asarray(samples)
    if array.ndim != 1:
        raise LeitmotifError(
            "these samples are not mono",
            found=f"shape {array.shape}",
            expected="shape [n]",
            fix="average the channels, such as samples.mean(axis=1) for [n, channels]",
        )
    if not np.issubdtype(array.dtype, np.floating):
        raise LeitmotifError(
            "these samples are not floating-point numbers",
            found=f"dtype {array.dtype}",
            expected="float samples, full scale at 1.0",
            fix="divide 16-bit integers by 32768",
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise LeitmotifError(
            "these samples are not all numbers",
            found=f"{np.count_nonzero(~np.isfinite(array))} NaN or infinite of {array.size}",
            expected="finite samples",
        )
    return array


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and math.isfinite(value)
