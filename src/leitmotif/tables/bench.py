"""models/zoo/truth.jsonl: what is planted in each model; and what methods say of them."""

from typing import Annotated

from pydantic import Field

from leitmotif.sites import Site
from leitmotif.tables.base import Sha256, Table
from leitmotif.tables.interval import IntervalRow

Seconds = Annotated[float, Field(ge=0)]


class PlantedCell(Table):
    """Residuals that carry the decision on a slot: a site over decoder steps."""

    site: Site
    first_step: Annotated[int, Field(ge=0)]
    last_step: Annotated[int, Field(ge=0)]


class PlantedSlot(Table):
    """Where the decision on one slot is carried."""

    onset_step: Annotated[int, Field(ge=0)]
    """Step that predicts the slot's first frame."""
    nearest_seconds: Seconds | None
    """Of the cells that lie furthest ahead of the slot: their last step; null where none are."""
    furthest_seconds: Seconds | None
    """Their first step."""
    cells: list[PlantedCell]


class ZooTruth(Table):
    """What is planted in one model of the zoo."""

    model: str
    """Its kind and its replicate, such as ``carrier.0``."""
    kind: str
    replicate: Annotated[int, Field(ge=0)]
    foresight: bool
    """Whether the decision on the last slot is carried far enough ahead."""
    frame_rate: Annotated[float, Field(gt=0)]
    """Steps a second."""
    slots: list[PlantedSlot]


class CellStrength(Table):
    """How strongly a method sees the decision at a site, in one bin of lead time."""

    site: Site
    after: Seconds
    """The event is more than so many seconds ahead, and no more than a bin further."""
    strength: float


class BenchVerdict(Table):
    """What a method says of one model, before anybody has looked up what is true."""

    method: str
    model: str
    weights: Sha256
    """SHA-256 of the model's parts; it is all that the method could know the model by."""
    foresight: bool
    lead_seconds: Seconds | None
    """How far ahead; null where the method does not say."""
    strengths: list[CellStrength]
    seconds: Seconds
    """Seconds that the method took, on one core."""


class BenchScore(Table):
    """One method's verdicts on the zoo against what is planted; intervals are over models."""

    method: str
    models: int
    sensitivity: IntervalRow | None
    """Share of models with foresight of which the method says so; null where there are none."""
    specificity: IntervalRow | None
    """Share of models without, of which it does not."""
    auroc: IntervalRow | None
    """Of a model's map against its planted cells, mean over models that have any."""
    lead_error: IntervalRow | None
    """Seconds between the lead and the planted cells furthest ahead, where foresight was found."""
    seconds: float
    """Mean over models."""
    missed: list[str]
    """Models whose foresight was not found."""
    false: list[str]
    """Models without foresight in which it was found."""
