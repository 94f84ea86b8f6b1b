"""data/interchange.jsonl: by lead time and site, what a foreign residual makes a model expect."""

from typing import Literal

from leitmotif.sites import Site
from leitmotif.tables.base import Count, Table
from leitmotif.tables.interval import IntervalRow

Donor = Literal["counterfactual", "control"]
"""Where the residual is taken from: the piece in which the event is otherwise, or one that differs
as much and says nothing of the event."""


class InterchangeRow(Table):
    """One model, one site, one stretch of lead time; the residual there is taken from the donor.

    All numbers are of the log-odds, in nats, that the model gives the first token of the event
    against that of its absence, with everything before it as it is in the piece; of recordings, one
    ending against another (``causal.experiment.recorded``).
    """

    KEY = ("model", "site", "donor", "window", "slot", "after", "until")

    model: str
    """Name of the model's folder; the one under study comes first."""
    site: Site | None
    """Null where the whole deciding part of the piece is the donor's: the total effect."""
    donor: Donor
    window: Literal["deciding", "between", "ahead"]
    """What was exchanged: the steps that read what decides the event; those of the gap after them
    at which the event lies in (after, until] s ahead; or more than ``after``."""
    after: float | None
    """Seconds; null for windows that no lead names."""
    until: float | None
    slot: Count | None
    """Which of a piece's events; null: all of them."""
    events: Count
    nats: IntervalRow
    """Mean change of the log-odds towards the counterfactual, by track; ``n`` counts tracks."""
    over_control: IntervalRow | None
    """By how much that exceeds the control donor's; null where that was not tried."""
    share: IntervalRow | None
    """Share of the total effect; null where that is not clear of 0."""
    accuracy: IntervalRow
    """Interchange intervention accuracy: share of events of which the model expects what the piece
    has, and with the exchange what the counterfactual would have."""
    towards: IntervalRow | None
    """``nats`` of the events that the piece lacks; null for fewer than two tracks, as the next."""
    away: IntervalRow | None
    """``nats`` of those that it has."""
