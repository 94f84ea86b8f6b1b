"""What the engine looks for, in seconds, and what that is on its grid of frames."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from leitmotif.errors import LeitmotifError
from leitmotif.recurrence.views import SPECTRUM_RATE

if TYPE_CHECKING:
    from leitmotif.config import ProposalsParams

FRAMES_PER_WINDOW = 40
"""Grid frames in a window of the middle length: 10 a second for 4 s."""


@dataclass(frozen=True)
class SearchSettings:
    """Settings of the engine. Raises LeitmotifError for values that cannot work."""

    lengths: tuple[float, ...] = (3.0, 4.0, 6.0)
    """Seconds: lengths of motif windows, ascending. The shortest and the longest are compared
    everywhere, all of them where one of these finds something."""
    min_lag: float = 2.5
    """Seconds from the motif's start to the recurrence's, at least; the two never overlap."""
    tempo: float = 0.08
    """Share by which the recurrence may be faster or slower."""
    transpositions: int = 6
    """Semitones, up and down."""
    rhythm: float = 0.45
    """What a rhythm correlation of 1 counts, beside a similarity of pitch of 1."""
    overlap: float = 0.5
    """Two suggestions are merged if both their windows have this intersection over union."""
    texture_seconds: float = 1.0
    """What is shorter counts as texture: the surrogates keep blocks of this length."""
    max_texture: float = 0.98
    """Pairs of which texture explains a larger share are left out; 1 keeps all."""
    per_minute: float = 30.0
    """Most suggestions per minute of audio."""
    seed: int = 0
    """Of the surrogates."""

    def __post_init__(self) -> None:
        def need(true: bool, key: str, expected: str) -> None:
            if not true:
                raise LeitmotifError(
                    f"the search cannot use {key}",
                    found=getattr(self, key),
                    expected=expected,
                    fix=f"change {key} (the section proposals of params.yaml)",
                )

        ascending = sorted(set(self.lengths)) == list(self.lengths)
        need(bool(self.lengths) and ascending, "lengths", "at least one length, ascending")
        need(self.lengths[0] * SPECTRUM_RATE >= 10, "lengths", "0.2 s or more")
        need(
            self.lengths[-1] <= 4 * self.lengths[0],
            "lengths",
            "the longest at most 4 times the shortest",
        )
        need(self.min_lag >= 0, "min_lag", "0 or more")
        need(0 <= self.tempo <= 0.2, "tempo", "0 to 0.2")
        need(0 <= self.transpositions <= 6, "transpositions", "0 to 6")
        need(0 <= self.rhythm <= 2, "rhythm", "0 to 2")
        need(0 < self.overlap <= 1, "overlap", "more than 0, at most 1")
        short = 0 < self.texture_seconds < self.lengths[0]
        need(short, "texture_seconds", "more than 0, less than the shortest length")
        need(0 < self.max_texture <= 1, "max_texture", "more than 0, at most 1")
        need(self.per_minute > 0, "per_minute", "more than 0")

    @cached_property
    def middle(self) -> float:
        """Seconds of the window that sets the grid."""
        return self.lengths[(len(self.lengths) - 1) // 2]

    @cached_property
    def least_seconds(self) -> float:
        """Length of a recording that can hold a motif and its recurrence."""
        return max(self.min_lag, self.lengths[0]) + self.lengths[0]

    @cached_property
    def rate(self) -> float:
        """Grid frames per second."""
        return min(float(SPECTRUM_RATE), FRAMES_PER_WINDOW / self.middle)

    @cached_property
    def window(self) -> int:
        """Grid frames of the middle length."""
        return round(self.middle * self.rate)

    @cached_property
    def windows(self) -> tuple[int, ...]:
        """Grid frames of each length."""
        return tuple(round(length * self.rate) for length in self.lengths)

    @cached_property
    def searched(self) -> tuple[int, ...]:
        """Grid frames of the lengths that are compared everywhere, ascending."""
        return tuple(sorted({self.windows[0], self.windows[-1]}))

    @cached_property
    def least_lag(self) -> int:
        """Grid frames: the minimum lag, and never less than the shortest window."""
        return max(round(self.min_lag * self.rate), self.windows[0])

    @cached_property
    def shifts(self) -> tuple[int, ...]:
        """Semitones by which the recurrence may lie higher; at 6, up and down are one pitch class
        apart by the same amount, so 6 down stands for both."""
        n = self.transpositions
        return tuple(range(-n, n)) if n == 6 else tuple(range(-n, n + 1))

    @cached_property
    def tempi(self) -> tuple[float, ...]:
        """Seconds of recurrence per second of motif that are searched."""
        return (1.0,) if self.tempo == 0 else (1 / (1 + self.tempo), 1.0, 1 + self.tempo)


def search_of(params: "ProposalsParams") -> SearchSettings:
    """The search that the settings of the stage ``proposals`` describe."""
    return SearchSettings(
        lengths=tuple(params.lengths),
        min_lag=params.min_lag,
        tempo=params.tempo,
        transpositions=params.transpositions,
        rhythm=params.rhythm,
        overlap=params.overlap,
        texture_seconds=params.texture_seconds,
        max_texture=params.max_texture,
        per_minute=params.per_minute,
        seed=params.seed,
    )
