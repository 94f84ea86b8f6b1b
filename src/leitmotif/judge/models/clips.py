"""Prepares clips for a judge: checks, resamples, and cuts them into windows of its context."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from leitmotif.audio.reading.samples import Samples
from leitmotif.errors import ModelError

Clips = Sequence[Any] | NDArray[Any] | Tensor
"""One clip [n], clips of equal length [B, n], or a list of clips [n]; mono, full scale at 1."""

MIN_SECONDS = 0.1
"""Minimum length of a clip; in a shorter one no instrument or genre can be recognised."""
_LOWEST_RATE, _HIGHEST_RATE = 8_000, 384_000


def prepare(clips: Clips, sample_rate: int, target_rate: int) -> list[Samples]:
    """Check and resample clips (soxr's ``HQ``).

    Parameters
    ----------
    clips
        See ``Clips``.
    sample_rate
        Of the clips, in Hz.
    target_rate
        Of the result, in Hz.

    Raises
    ------
    ModelError
        If there are no clips, if a clip is not mono, is shorter than ``MIN_SECONDS`` or has
        non-finite samples, or if the rate is outside 8 to 384 kHz.
    """
    if isinstance(sample_rate, bool) or not _LOWEST_RATE <= sample_rate <= _HIGHEST_RATE:
        raise ModelError(
            "this is no sample rate of audio",
            found=f"{sample_rate!r} Hz",
            expected=f"{_LOWEST_RATE} to {_HIGHEST_RATE} Hz",
            fix="pass the rate at which the clips were made; MusicGen's is 32000",
        )
    rows = [_mono(clip, row, sample_rate) for row, clip in enumerate(_rows(clips))]
    if not rows:
        raise ModelError("there are no clips to judge", expected="at least one")
    if sample_rate == target_rate:
        return rows
    resampled = (soxr.resample(row, sample_rate, target_rate, quality="HQ") for row in rows)
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


def _rows(clips: Clips) -> Iterator[NDArray[Any]]:
    if isinstance(clips, Tensor | np.ndarray):
        array = _array(clips)
        yield from array[np.newaxis] if array.ndim == 1 else array
    else:
        yield from (_array(clip) for clip in clips)


def _array(clip: Any) -> NDArray[Any]:
    return np.asarray(clip.detach().cpu() if isinstance(clip, Tensor) else clip)


def _mono(clip: NDArray[Any], row: int, sample_rate: int) -> Samples:
    if clip.ndim != 1 or clip.dtype.kind != "f":
        raise ModelError(
            f"clip {row} is not mono audio",
            found=f"shape {clip.shape} of {clip.dtype}",
            expected="floating-point samples [n], full scale at 1",
            fix="mix the channels first; see leitmotif.audio.decode.to_mono",
        )
    if len(clip) < MIN_SECONDS * sample_rate:
        raise ModelError(
            f"clip {row} is too short to be judged",
            found=f"{len(clip) / sample_rate:.3f} s",
            expected=f"at least {MIN_SECONDS} s",
        )
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, and is refused
        clip = np.ascontiguousarray(clip, dtype=np.float32)
    if not np.isfinite(clip).all():
        count = int(np.count_nonzero(~np.isfinite(clip)))
        raise ModelError(
            f"clip {row} has samples that are no numbers",
            found=f"{count} NaN or infinite samples of {clip.size}",
            expected="finite samples",
            fix="record the clip as failed and leave it out",
        )
    return clip
