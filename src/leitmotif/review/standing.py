"""What stands of the logs: undone lines removed, and what the reviewers of a pair agree on."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from leitmotif.tables.decisions import Decision, Entry, Listening, Queue, Undo, Verdict


class Said(Protocol):
    """What matters here of a decision."""

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
class DecidedPair(Generic[D]):
    """The standing decisions on one pair of windows, at most one a reviewer in each list."""

    first: list[D] = field(default_factory=list)
    """Each made without knowledge of the others."""
    second: list[D] = field(default_factory=list)
    """Made where the first ones disagree; they take the place of those."""

    @property
    def deciding(self) -> list[D]:
        """The decisions that count."""
        return self.second or self.first

    @property
    def verdict(self) -> Verdict | None:
        """What all decisions that count say; None while they differ."""
        said = {decision.verdict for decision in self.deciding}
        return said.pop() if len(said) == 1 else None


def standing(entries: Iterable[Entry]) -> list[Decision]:
    """Return the decisions that nobody took back, the last of each reviewer on a pair in a queue.

    ``entries`` are in the order of their files; the result keeps it.
    """
    return [entry for entry in _standing(entries) if isinstance(entry, Decision)]


def standing_listenings(entries: Iterable[Entry]) -> list[Listening]:
    """Return the listenings that nobody took back, the last of each reviewer of a stretch.

    ``entries`` are in the order of their files; the result keeps it.
    """
    return [entry for entry in _standing(entries) if isinstance(entry, Listening)]


def _standing(entries: Iterable[Entry]) -> list[Decision | Listening]:
    entries = list(entries)
    undone = {(entry.reviewer, entry.undoes) for entry in entries if isinstance(entry, Undo)}
    last: dict[tuple[str, str, str], Decision | Listening] = {}
    for entry in entries:
        if not isinstance(entry, Undo) and (entry.reviewer, entry.key) not in undone:
            place = (entry.reviewer, entry.queue, entry.pair)
            last.pop(place, None)
            last[place] = entry
    return list(last.values())


def by_pair(decisions: Iterable[D]) -> dict[str, DecidedPair[D]]:
    """Gather standing decisions by the pair that they are about."""
    pairs: dict[str, DecidedPair[D]] = {}
    for decision in decisions:
        pair = pairs.setdefault(decision.pair, DecidedPair())
        (pair.first if decision.queue == "review" else pair.second).append(decision)
    return pairs
