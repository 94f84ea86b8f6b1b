"""What all rows share: the strict base, hashes, ids and spans."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
TrackId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,199}$")]
"""Safe as a file name on every system; made from the source's own id or relative path."""


class Table(BaseModel):
    """Base of every row: strict, immutable, no unknown fields, and finite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Span(Table):
    """A stretch of audio, in samples from the track's start."""

    start_sample: Annotated[int, Field(ge=0)]
    """First sample, counted from 0."""
    samples: Annotated[int, Field(ge=1)]
    """How many."""
