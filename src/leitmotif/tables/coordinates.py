"""How few coordinates of a site carry an event; see ``leitmotif.causal.interchange.few``."""

from typing import Literal

from leitmotif.sites import Site
from leitmotif.tables.base import Table
from leitmotif.tables.interval import IntervalRow

Featuriser = Literal[
    "trained", "frozen decoder", "random", "neurons", "components", "rotation", "das"
]
"""Where coordinates come from: autoencoders that were trained here, whose decoder stayed random,
or that were not trained at all; axes of the residual stream; its principal components; a random
rotation; directions trained to move the events."""


class CoordinateRow(Table):
    """One model, one site, the first k coordinates of one kind.

    All are measured on tracks that had no say in the choice of coordinates. Effects are changes of
    the event's log-odds, in nats, towards the counterfactual.
    """

    model: str
    """Name of the model's folder, or ``random weights``."""
    site: Site
    after: float
    """Seconds; steps from which the event is further away are exchanged."""
    featuriser: Featuriser
    k: int
    nats: IntervalRow
    """Where these coordinates are exchanged, and nothing else."""
    share: IntervalRow | None
    """Of what the whole site does (faithfulness); null where that is not clear of 0."""
    left: IntervalRow | None
    """Share of it that the rest of the site still does without them (completeness if 0)."""
    accuracy: IntervalRow
    """Interchange intervention accuracy where these coordinates are exchanged."""
    least_drop: float | None
    """What the share loses without the least of them (minimality); null for sets that were not
    taken apart."""


class AreaRow(Table):
    """The mean share over the logarithm of k, from 1 to the most: 1 if one coordinate is all."""

    model: str
    site: Site
    featuriser: Featuriser
    most: int
    """Largest k."""
    area: IntervalRow
