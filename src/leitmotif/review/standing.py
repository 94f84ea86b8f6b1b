"""Current decisions, without undone decisions, and the verdict on which reviewers of a pair
agree."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from leitmotif.review.decisions import Decision, Entry, Queue, Undo, Verdict


class Said(Protocol):
    """The fields of a decision that this module uses."""

    @property
    def reviewer(self) -> str: ...  # noqa: D102
    @property
    def queue(self) -> Queue: ...  # noqa: D102
    @property
    def pair(self) -> str: ...  # noqa: D102
    @property
    def verdict(self) -> Verdict: ...  # noqa: D102


D = TypeVar("D", bound=Said)


@dataclass
class Pair(Generic[D]):
    """Current decisions on one pair of windows, at most one per reviewer in each list."""

    first: list[D] = field(default_factory=list)
    """First decisions, made without knowledge of the others."""
    second: list[D] = field(default_factory=list)
    """Second decisions, which settle a disagreement and replace the first decisions."""

    @property
    def deciding(self) -> list[D]:
        """The decisions that count."""
        return self.second or self.first

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on which all decisions that count agree; None if they differ."""
        said = {decision.verdict for decision in self.deciding}
        return said.pop() if len(said) == 1 else None


def standing(entries: Iterable[Entry]) -> list[Decision]:
    """Return the current decisions: the last decision of each reviewer on a pair in a queue, not
    undone.

    The result keeps the order of ``entries``, which is the order of their files.
    """
    entries = list(entries)
    undone = {(entry.reviewer, entry.undoes) for entry in entries if isinstance(entry, Undo)}
    last: dict[tuple[str, str, str], Decision] = {}
    for entry in entries:
        if isinstance(entry, Decision) and (entry.reviewer, entry.key) not in undone:
            place = (entry.reviewer, entry.queue, entry.pair)
            last.pop(place, None)
            last[place] = entry
    return list(last.values())


def by_pair(decisions: Iterable[D]) -> dict[str, Pair[D]]:
    """Group current decisions by pair."""
    pairs: dict[str, Pair[D]] = {}
    for decision in decisions:
        pair = pairs.setdefault(decision.pair, Pair())
        (pair.first if decision.queue == "review" else pair.second).append(decision)
    return pairs
