"""What all rows share: the strict base, hashes, ids and spans."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
TrackId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,199}$")]
"""Safe as a file name on every system; made from the source's own id or relative path."""


def _below(path: str) -> str:
    if path.startswith("/") or "\0" in path or {"", ".", ".."} & set(path.split("/")):
        raise ValueError(f"{path!r:.200} leads elsewhere than below the table's folder")
    return path


PathBelow = Annotated[str, AfterValidator(_below)]
"""A file in the table's folder or below it, with forward slashes and no way out."""
Count = Annotated[int, Field(ge=0)]
"""How many, or a number counted from 0."""
Share = Annotated[float, Field(ge=0, le=1)]
"""A part of a whole, a probability or a p-value."""
SampleRate = Annotated[int, Field(gt=0, le=10_000_000)]
"""Hz."""
LARGEST_INTEGER, LARGEST = 2**63 - 1, 1e100
"""No computation gives larger ones, and programs that read or draw them fail."""


class Table(BaseModel):
    """Base of every row: strict, immutable, no unknown fields, and finite numbers of usual size."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    KEY: ClassVar[tuple[str, ...]] = ()
    """Fields that say what a row is of: no two rows of a table have the same values in them. A dot
    leads into a field's own fields. Empty: rows that are equal in all fields are the same."""

    @field_validator("*")
    @classmethod
    def _of_usual_size(cls, value: object) -> object:
        for number in value if isinstance(value, list | tuple) else (value,):
            most = LARGEST_INTEGER if isinstance(number, int) else LARGEST
            if isinstance(number, int | float) and abs(number) > most:
                raise ValueError(f"a number of at most {most:g} is expected")
        return value


class Span(Table):
    """A stretch of audio, in samples from the track's start."""

    start_sample: Annotated[int, Field(ge=0)]
    """First sample, counted from 0."""
    samples: Annotated[int, Field(ge=1)]
    """How many."""
