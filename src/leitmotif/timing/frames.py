"""Frames, decoder steps and seconds: how they are converted, whatever the frame rate.

No frame rate is fixed here. A model states its own (``leitmotif.musicgen.protocol``), and what is
read from disk states that of its rows: activations and encoded features in their headers, chroma,
energy and onsets in theirs.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, PlainSerializer

FrameRate = Annotated[
    float, Field(gt=0), PlainSerializer(lambda rate: int(rate) if rate.is_integer() else rate)
]
"""Frames a second in a file's header, where a whole number has no decimal point."""

_TOLERANCE = 1e-6
"""Share of a frame that rounding of seconds may take: 8.32 s at 50 frames a second are 416."""


@dataclass(frozen=True)
class Timing:
    """Where the decoder steps of a model lie in its audio.

    Step t has read codes of the frames before frame t only. So it knows audio up to t /
    ``frame_rate`` seconds, and what the codec's encoder hears past that.
    """

    frame_rate: float
    """Codec frames, and decoder steps, a second."""
    hearing_seconds: float
    """How far the codec's encoder hears past the end of a frame."""

    def now(self, steps: ArrayLike) -> NDArray[np.float64]:
        """Seconds of audio that decoder steps can know: [n] -> [n]."""
        return np.asarray(steps, dtype=np.float64) / self.frame_rate + self.hearing_seconds


AS_MUSICGEN = Timing(50.0, 0.0)
"""Taken for a model's while no activations say what it is; MusicGen's codec hears 0.07 s ahead."""


def whole_frames(seconds: float, rate: float) -> int:
    """Frames at ``rate`` (a second) that fit into ``seconds``.

    >>> whole_frames(8.32, rate=50), whole_frames(8.32, rate=12.5)
    (416, 104)
    """
    return int(seconds * rate + _TOLERANCE)


def frames_ended(frames: ArrayLike, rate: float, other: float) -> NDArray[np.int64]:
    """How many frames at ``other`` have ended when ``frames`` at ``rate`` have: [n] -> [n].

    Both rates are frames a second.

    >>> frames_ended([0, 1, 3], rate=50, other=25)
    array([0, 0, 1])
    """
    ended = np.floor(np.asarray(frames, np.float64) * other / rate + _TOLERANCE)
    return np.asarray(ended, dtype=np.int64)


def first_frame_from(frame: int, rate: float, other: float) -> int:
    """The first frame at ``other`` that begins no earlier than ``frame`` at ``rate``.

    Frames count from 0; both rates are frames a second.

    >>> first_frame_from(3, rate=50, other=25)
    2
    """
    return int(np.ceil(frame * other / rate - _TOLERANCE))
