"""data/calibration.jsonl: how often the probes' tests call features significant, by their kind."""

from collections.abc import Iterable
from typing import Literal

from leitmotif.sites import Site
from leitmotif.tables.base import Share, Table
from leitmotif.tables.interval import IntervalRow

Kind = Literal["all", "null", "planted"]
"""``null``: features without foresight from one generator; ``all``: those of all generators;
``planted``: features that do foresee."""


class CalibrationRow(Table):
    """A row of data/calibration.jsonl: features of which the truth is known, and what was found."""

    KEY = ("kind", "generator", "horizon", "site", "strength")

    kind: Kind
    generator: str | None
    """Generator of the null features; null for the others."""
    strength: float | None
    """Partial correlation of the planted features; null for the others."""
    horizon: str
    site: Site
    """Site whose activations real features are taken from."""
    alpha: Share
    """Level of both tests."""
    naive: IntervalRow | None
    """Share that the naive test calls significant; null for planted features."""
    controlled: IntervalRow
    """Share that the controlled test calls significant: errors of nulls, power of planted ones."""


def of_kind(rows: Iterable[CalibrationRow], kind: Kind) -> list[CalibrationRow]:
    """The rows of one kind, in their order."""
    return [row for row in rows if row.kind == kind]
