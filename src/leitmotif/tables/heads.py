"""Heads of self-attention by which a decision travels from what decides an event; see
``leitmotif.causal.interchange.heads``."""

from typing import Annotated, Literal

from pydantic import Field

from leitmotif.tables.base import Table
from leitmotif.tables.interval import IntervalRow

Receiver = Literal["gap", "slot"]
"""Steps between what decides an event and the event; steps that predict the event's frames."""


class HeadRow(Table):
    """Some heads of one model, patched together on their way to one receiver."""

    model: str
    """Name of the model's folder."""
    receiver: Receiver
    heads: Annotated[list[str], Field(min_length=1)]
    """Canonical sites, the strongest first."""
    nats: IntervalRow
    """Mean change of the event's log-odds towards the counterfactual, by track."""
    share: float | None
    """Share of the total effect in the same events; null where that is not clear of 0."""
    measured_apart: bool
    """Whether these tracks had no say in the heads' order."""
