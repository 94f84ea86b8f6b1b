"""Requests that the page sends."""

from typing import Annotated

from pydantic import Field

from leitmotif.corpus.tables import Span, Table
from leitmotif.review.decisions import LONGEST_NOTE, Decision, Key, PairId, Verdict


class Press(Table):
    """A verdict with the windows that the reviewer set."""

    key: Key
    pair: PairId
    verdict: Verdict
    motif: Span
    recurrence: Span
    note: Annotated[str, Field(max_length=LONGEST_NOTE)] = ""

    def made(self, decision: Decision) -> bool:
        """Whether ``decision``, which has the same key, results from this press."""
        return (self.pair, self.verdict) == (decision.pair, decision.verdict)


class TakeBack(Table):
    """An undo of the decision with the key ``undoes``."""

    key: Key
    undoes: Key


class Skip(Table):
    """A request to move an item to the end of the queue."""

    pair: PairId
