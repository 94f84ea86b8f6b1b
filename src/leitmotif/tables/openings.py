"""data/openings.jsonl: what a model's own openings say of each recording, and what came of it."""

from typing import Annotated, Literal

from pydantic import Field

from leitmotif.tables.base import Table, TrackId


class OpenedRecording(Table):
    """A row of data/openings.jsonl: a recording that one model continued in several ways.

    There are no rows for composed music, whose counterfactual is composed too.
    """

    KEY = ("model", "track_id")

    model: str
    """Model as in data/effects.jsonl."""
    track_id: TrackId
    openings: Annotated[int, Field(ge=0)]
    """Openings that say whether the motif returns: after each it does so in more than half of the
    trials, or in fewer."""
    returning: Annotated[int, Field(ge=0)]
    """Those after which it returns."""
    towards: Literal[-1, 1] | None
    """Kind of the recording's piece: -1 if the motif returns after the piece's own opening, so that
    its source takes the return away, and 1 if it does not. Null: it has no piece, since not two
    openings agree while a third says the opposite."""
