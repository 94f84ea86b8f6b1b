"""Prepares clips for a judge: checks, resamples, and cuts them into windows of its context."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

import numpy as np
import soxr
import torch
from torch import Tensor

from leitmotif.audio.reading.samples import Clips, Samples, as_clips, rate_of
from leitmotif.errors import ModelError

MIN_SECONDS = 0.1
"""Minimum length of a clip; in a shorter one no instrument or genre can be recognised."""
_LOWEST_RATE, _HIGHEST_RATE = 8_000, 384_000


def prepare(clips: Clips, sample_rate: int | None, target_rate: int) -> list[Samples]:
    """Check and resample clips (soxr's ``HQ``).

    Parameters
    ----------
    clips
        See ``Clips``.
    sample_rate
        Of the clips, in Hz; None for clips that know their own.
    target_rate
        Of the result, in Hz.

    Raises
    ------
    AudioError
        If a clip is no mono audio, is not finite, or has another rate; see ``as_clip``.
    ModelError
        If there are no clips, if one is shorter than ``MIN_SECONDS``, or if the rate is outside
        8 to 384 kHz.
    """
    rate = rate_of(clips, sample_rate)
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise ModelError(
            "this is no sample rate of audio that can be judged",
            found=f"{rate} Hz",
            expected=f"{_LOWEST_RATE} to {_HIGHEST_RATE} Hz",
            fix="pass the rate at which the clips were made; MusicGen's is 32000",
        )
    rows = [_long_enough(clip, row, rate) for row, clip in enumerate(as_clips(clips, rate))]
    if not rows:
        raise ModelError("there are no clips to judge", expected="at least one")
    if rate == target_rate:
        return rows
    resampled = (soxr.resample(row, rate, target_rate, quality="HQ") for row in rows)
    return [np.ascontiguousarray(row, dtype=np.float32) for row in resampled]


def windows(samples: Samples, length: int) -> Iterator[Samples]:
    """Cut a clip [n] into windows of at most ``length`` samples that together cover it.

    The windows are adjacent. The last window ends with the clip, so it may overlap the window
    before it. It is shorter than ``length`` only if the clip is.
    """
    last = max(0, len(samples) - length)
    for start in (*range(0, last, length), last):
        yield samples[start : start + length]


def over_windows(
    clips: Sequence[Samples],
    length: int,
    judge: Callable[[list[Samples]], Tensor],
    *,
    batch_size: int,
) -> Tensor:
    """Apply a judge to the windows of each clip, and average over them: [clips, ...].

    Parameters
    ----------
    clips
        Each [n].
    length
        Maximum length of a window in samples.
    judge
        Returns one row for each window.
    batch_size
        Maximum number of windows that ``judge`` gets at once.

    Raises
    ------
    ModelError
        If what the judge gives a clip is no number.
    """
    cut = [list(windows(clip, length)) for clip in clips]
    pieces = [piece for clip in cut for piece in clip]
    starts = range(0, len(pieces), batch_size)
    judged = torch.cat([judge(pieces[start : start + batch_size]) for start in starts])
    ends = list(accumulate(len(clip) for clip in cut))
    spans = zip([0, *ends], ends, strict=False)
    means = torch.stack([judged[start:end].mean(0) for start, end in spans])
    check_judged(means, "clip")
    return means


def check_judged(rows: Tensor, what: str) -> None:
    """Raise ModelError, which names the rows, if a judge gives NaN or infinity."""
    bad = (~torch.isfinite(rows).flatten(1).all(1)).nonzero().flatten().tolist()
    if bad:
        raise ModelError(
            "the judge gives no numbers",
            found=f"NaN or infinity for {what} {', '.join(map(str, bad[:8]))} of {len(rows)}",
            expected="finite values",
            fix="leave these out, and check the judge's weights",
        )


def _long_enough(clip: Samples, row: int, sample_rate: int) -> Samples:
    if len(clip) < MIN_SECONDS * sample_rate:
        raise ModelError(
            f"clip {row} is too short to be judged",
            found=f"{len(clip) / sample_rate:.3f} s",
            expected=f"at least {MIN_SECONDS} s",
        )
    return clip
