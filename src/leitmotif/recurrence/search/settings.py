"""Settings of the search in seconds, and their values on its grid of frames."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from leitmotif.errors import LeitmotifError
from leitmotif.recurrence.search.views import SPECTRUM_RATE

if TYPE_CHECKING:
    from leitmotif.config import ProposalsParams

FRAMES_PER_WINDOW = 40
"""Grid frames in a window of the middle length: 10 per second for 4 s."""


@dataclass(frozen=True)
class SearchSettings:
    """Settings of the engine. Raises LeitmotifError for values that cannot work."""

    lengths: tuple[float, ...] = (3.0, 4.0, 6.0)
    """Lengths of motif windows in seconds, ascending. The shortest and the longest are compared
    everywhere, and all of them near the matches."""
    min_lag: float = 2.5
    """Minimum time in seconds from the start of a motif to the start of its recurrence. The two
    windows never overlap."""
    tempo: float = 0.08
    """Maximum relative tempo difference of a recurrence."""
    transpositions: int = 6
    """Maximum transposition of a recurrence in semitones, up or down."""
    rhythm: float = 0.45
    """Weight of the rhythm correlation; pitch similarity has weight 1."""
    overlap: float = 0.5
    """Two suggestions are merged if both their windows have this intersection over union."""
    texture_seconds: float = 1.0
    """Anything shorter counts as texture. The surrogates keep blocks of this length."""
    max_texture: float = 0.98
    """Maximum share of a pair's similarity that texture may explain; 1 keeps all pairs."""
    per_minute: float = 30.0
    """Maximum number of suggestions per minute of audio."""
    seed: int = 0
    """Seed of the surrogates."""

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
        """Length in seconds of the window that determines the grid."""
        return self.lengths[(len(self.lengths) - 1) // 2]

    @cached_property
    def least_seconds(self) -> float:
        """Minimum length in seconds of a recording that can hold a motif and its recurrence."""
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
        """Minimum lag in grid frames, never shorter than the shortest window."""
        return max(round(self.min_lag * self.rate), self.windows[0])

    @cached_property
    def shifts(self) -> tuple[int, ...]:
        """Transpositions of the recurrence in semitones. 6 up and 6 down give the same pitch
        classes, so 6 down represents both."""
        n = self.transpositions
        return tuple(range(-n, n)) if n == 6 else tuple(range(-n, n + 1))

    @cached_property
    def tempi(self) -> tuple[float, ...]:
        """Tempi that are searched, in seconds of recurrence per second of motif."""
        return (1.0,) if self.tempo == 0 else (1 / (1 + self.tempo), 1.0, 1 + self.tempo)


def search_of(params: "ProposalsParams") -> SearchSettings:
    """Return the search with the settings of the stage ``proposals``."""
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
