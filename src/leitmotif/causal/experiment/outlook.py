"""How many recordings can show an effect, as those say whose openings have been tried.

Openings are most of the work before the first effect, and a recording whose openings all agree can
show none. So the first recordings say what to expect of the rest. Each recording is taken to differ
with one probability, of which nothing is known but how many of those tried do (Jeffreys' prior, a
beta distribution with 1/2 and 1/2). How many of the rest will is then beta-binomial.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from leitmotif.claims import LEAST_EACH_WAY
from leitmotif.errors import counted
from leitmotif.intervals import Interval
from leitmotif.tables.openings import OpenedRecording

T = TypeVar("T")

FIRST = 3
"""Recordings after which it is said first; then whenever twice as many are tried."""
TAIL = 0.025
"""Of the interval, on either side."""


@dataclass(frozen=True)
class OpeningCounts:
    """What the openings of some recordings say."""

    recordings: int
    differing: int
    """Those that can be a piece: the motif returns after some openings, and not after others."""
    openings: int
    """Those whose trials say either."""
    returning: int
    """Those after which the motif returns."""

    @classmethod
    def of(cls, rows: Sequence[OpenedRecording]) -> Self:
        """Count what the rows of one model say."""
        return cls(
            recordings=len(rows),
            differing=sum(row.towards is not None for row in rows),
            openings=sum(row.openings for row in rows),
            returning=sum(row.returning for row in rows),
        )

    @classmethod
    def by_model(cls, rows: Iterable[OpenedRecording]) -> dict[str, Self]:
        """Count them for each model, in the order of the table."""
        of_model: dict[str, list[OpenedRecording]] = {}
        for row in rows:
            of_model.setdefault(row.model, []).append(row)
        return {model: cls.of(its) for model, its in of_model.items()}

    def __str__(self) -> str:
        return (
            f"the motif returns after {self.returning} of {counted(self.openings, 'opening')} of "
            f"{counted(self.recordings, 'recording')}, {self.differing} of which can show an effect"
        )


def in_doubling_parts(items: Sequence[T], first: int = FIRST) -> Iterator[Sequence[T]]:
    """Yield the first few, then each time as many as there were before.

    >>> [len(part) for part in in_doubling_parts(range(17))]
    [3, 3, 6, 5]
    """
    done = 0
    while done < len(items):
        until = max(first, 2 * done)
        yield items[done:until]
        done = until


def expected(tried: OpeningCounts, recordings: int) -> Interval:
    """How many of all ``recordings`` can show an effect: mean, and 95 % interval.

    >>> expected(OpeningCounts(3, 0, 24, 0), 3)
    Interval(mean=0.0, low=0.0, high=0.0)
    >>> expected(OpeningCounts(6, 0, 48, 0), 15).high
    4.0
    """
    # Here: to import it takes time, and most of those that import this module do not ask.
    from scipy.stats import betabinom

    more = recordings - tried.recordings
    rest = betabinom(more, tried.differing + 0.5, tried.recordings - tried.differing + 0.5)
    # A little less, as the last digit would decide where a count's share is that of a tail.
    low, high = rest.ppf([TAIL - 1e-12, 1 - TAIL - 1e-12])
    return Interval(*(tried.differing + float(count) for count in (rest.mean(), low, high)))


def beforehand(recordings: int, openings: int, *, needed: int) -> str:
    """What the model has to do for enough of so many recordings to count, before it is asked.

    >>> beforehand(15, 8, needed=8).partition("; ")[2]
    '8 of 15 can be expected to if each motif returns after 10 to 90 % of its openings'
    """
    share = least_share(recordings, openings, needed)
    text = (
        f"one counts only if the model returns its motif after some of {openings} openings and not "
        "after others; "
    )
    if share is None:
        return f"{text}of {recordings}, fewer than {needed} can be expected to, whatever it does"
    least = math.ceil(100 * share)
    return (
        f"{text}{needed} of {recordings} can be expected to if each motif returns after {least} to "
        f"{100 - least} % of its openings"
    )


def least_share(recordings: int, openings: int, needed: int) -> float | None:
    """Share of returning openings, the same everywhere, with which enough recordings differ.

    ``needed`` of them, on average, if all openings say whether the motif returns; as many do with
    that share of openings without a return. None if one half does not suffice.
    """

    def differing(share: float) -> float:
        return recordings * (1 - share**openings - (1 - share) ** openings)

    low, high = 0.0, 0.5
    if differing(high) < needed:
        return None
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if differing(middle) >= needed else (middle, high)
    return high


def outlook(tried: OpeningCounts, recordings: int, *, needed: int) -> str:
    """What the recordings tried so far let expect of all, and whether that can suffice.

    ``needed`` is the fewest pieces with which an effect can count.
    """
    count = expected(tried, recordings)
    text = (
        f"{tried}; of all {recordings} about {count.mean:.0f} can be expected to "
        f"({count.low:.0f} to {count.high:.0f}), and {needed} are needed, {LEAST_EACH_WAY} with a "
        f"return and {LEAST_EACH_WAY} without"
    )
    if count.high < needed:
        text += (
            ": the rest can hardly make an effect count. If the run is stopped, what is made is "
            "kept"
        )
    return text
