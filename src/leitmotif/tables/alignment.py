"""data/alignment.jsonl: how well each autoencoder fits each site, and whether it is on its own."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from leitmotif.sites import Site
from leitmotif.tables.base import Count, Share, Table
from leitmotif.tables.interval import IntervalRow


class AuditRow(Table):
    """The verdict on one autoencoder at the site whose activations it is given."""

    best: str
    """Site of the smallest share of variance unexplained, among this one and its neighbours."""
    margin: IntervalRow
    """The share at the best other site less that at this one."""
    chance: IntervalRow
    """That share at this site for an autoencoder of the same sizes that has learnt nothing."""
    of_chance: IntervalRow
    """The share as a part of ``chance``."""
    passed: bool
    """This site is the best one, the margin's interval lies above 0, and that of ``of_chance``
    below 0.8."""


class EncodedRow(Table):
    """What encoding all tracks gave."""

    frames: Count
    l0: float
    """Mean number of active features a frame."""
    most: Count
    """Most active features in one frame."""
    bytes_per_frame: float


class TrainedRow(Table):
    """What training reached, on tracks that it did not see."""

    site: Site
    tracks: Count
    """Trained on."""
    held_out: Count
    rows: Count
    """Rows of the tracks trained on."""
    fvu: Annotated[float, Field(ge=0)]
    cosine: float
    l0: float
    dead_fraction: Share


class TrialRow(Table):
    """One autoencoder tried at a site where it does not belong."""

    falsified: bool
    """Whether registry and folder were rewritten to say that it belongs there."""
    caught: bool
    best: str | None
    """Where the measurement says that it belongs; null where the declaration was enough."""


class AlignmentRow(Table):
    """A row of data/alignment.jsonl: one autoencoder at one site, stored or captured beside it."""

    KEY = ("hook", "site")

    hook: str
    """Entry of hooks.yaml."""
    site: Site
    fvu: IntervalRow
    """Share of the variance that it leaves unexplained, over tracks: of sites that are not stored,
    over those of the audit."""
    cosine: IntervalRow
    l0: IntervalRow
    dead_fraction: Share
    """Share of features that no frame activates."""
    audit: AuditRow | None
    """Null for other sites than the one whose activations it is given; so are the next four."""
    loss_recovered: IntervalRow | None
    """Share of the loss between the mean activation (0) and the stream itself (1)."""
    encoded: EncodedRow | None
    misaligned: str | None
    """Empty, or what does not match: its features are then no evidence about the site."""
    trained: TrainedRow | None
    """Null too for an autoencoder that was not trained here."""
    trials: list[TrialRow]
    """Of neighbours of the site where it belongs: as it is, and with falsified declarations."""


def brands(rows: Sequence[AlignmentRow]) -> list[str]:
    """What is said of autoencoders that read another site than their own; none if all is well."""
    return sorted({row.misaligned for row in rows if row.misaligned})
