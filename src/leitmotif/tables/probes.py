"""data/probes.jsonl and data/horizons.jsonl: what can be read from a model ahead of time."""

from collections.abc import Sequence

from leitmotif.sites import Site
from leitmotif.tables.base import Count, Share, Table
from leitmotif.tables.interval import IntervalRow


class NaiveRow(Table):
    """What a pooled correlation without groups or controls would report."""

    r2: float
    """R² of the best feature."""
    r2_place: float
    """Of the place in the track alone, without any feature: a mean for each row number."""
    significant_share: Share
    """Share of the features whose q-value is at most 0.05, as is customary."""


class SelectivityRow(Table):
    """R² of the features alone on the target and on a control task (Hewitt & Liang 2019)."""

    r2: float
    r2_control_task: float
    selectivity: float


class ProbeRow(Table):
    """A row of data/probes.jsonl: one model's features at one site, and one horizon."""

    KEY = ("model", "site", "horizon")

    model: str
    """Name of the model's folder, or random_weights; the one under study comes first."""
    site: Site
    horizon: str
    after: float
    """Seconds ahead at which the horizon begins."""
    r2_controls: IntervalRow
    r2_full: IntervalRow
    partial_r2: IntervalRow
    """What the features add to the controls."""
    robustness: IntervalRow
    """Share of the target, and of what predicts it, that a confounder which no control measures
    would have to explain to account for the partial R², and for the ends of its interval (Cinelli &
    Hazlett 2020)."""
    auroc_controls: IntervalRow | None
    """Null where a row has an event in too few tracks."""
    auroc: IntervalRow | None
    p: Share
    """p-value of the partial R², from exchanging tracks."""
    least: float | None = None
    """No smaller partial R² could have been decodable by itself, as ``Claims.least_decodable``
    says; null where none could, and in tables of older versions."""
    over_random_weights: IntervalRow | None
    """By how much partial R² exceeds that of the same network with shuffled weights; null for that
    network, and where it was not probed."""
    naive: NaiveRow | None
    """Naive correlation of the model under study at the horizon of the claim; null elsewhere."""
    selectivity: SelectivityRow | None
    """Selectivity, for the same row as ``naive``; null elsewhere."""
    exploratory: bool
    """Whether tracks with undecided proposals were admitted."""


class LeftOutRow(Table):
    """The probe at one site with one control left out."""

    left_out: str
    """``none``: all are in."""
    r2_controls: float
    partial_r2: float


class HorizonRow(Table):
    """A row of data/horizons.jsonl: the rows of one horizon, and what was tested on them."""

    KEY = ("horizon",)

    horizon: str
    after: float
    until: float
    """Seconds ahead at which it begins and ends."""
    claimed: bool
    """Whether it is the one of which claims are made: the nearest that is far enough."""
    tracks: Count
    rows: Count
    events: Share
    """Share of the rows whose target is above 0."""
    heard_ahead: float
    """Seconds past their own frame that features of any horizon were seen to hear."""
    tested: Count | None
    """Features tested one by one; null where none were."""
    chosen: Count | None
    """Features whose q-value is at most probes.alpha."""
    least_chosen: Count | None
    """Fewest features that could be chosen. 1 unless there are so few tracks that no p-value is
    small enough for one feature by itself; null where none were tested."""
    site: Site
    """Where the model under study shows most at the horizon of the claim."""
    controls: list[LeftOutRow]
    """What the probe at ``site`` finds with each control left out."""
    constant_controls: list[str]
    """Controls that are the same in all rows, and control nothing."""


def largest(rows: Sequence[ProbeRow], *, model: str, horizon: str) -> ProbeRow:
    """The row of a model's site with the largest partial R² at a horizon."""
    cells = [row for row in rows if (row.model, row.horizon) == (model, horizon)]
    return max(cells, key=lambda row: row.partial_r2.mean)
