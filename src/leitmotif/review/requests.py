"""What the page sends."""

from typing import Annotated

from pydantic import Field

from leitmotif.tables.base import Span, Table
from leitmotif.tables.decisions import LONGEST_NOTE, Decision, Key, PairId, Verdict


class Press(Table):
    """A verdict, with the windows as they were set."""

    key: Key
    pair: PairId
    verdict: Verdict
    motif: Span
    recurrence: Span
    note: Annotated[str, Field(max_length=LONGEST_NOTE)] = ""

    def made(self, decision: Decision) -> bool:
        """Say whether this press led to ``decision``, which has its key."""
        return (self.pair, self.verdict) == (decision.pair, decision.verdict)


class TakeBack(Table):
    """An undo of the decision with the key ``undoes``."""

    key: Key
    undoes: Key


class Skip(Table):
    """An item that is to come later."""

    pair: PairId
