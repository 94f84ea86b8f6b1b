"""data/approaches.jsonl: four ways to look for foresight, by the same code."""

from leitmotif.corpus.tables import Table
from leitmotif.tables.effects import Verdict
from leitmotif.tables.interval import IntervalRow


class ScreenedRow(Table):
    """What an approach would have found if interventions had chosen its site."""

    site: str
    delta_recurrence: IntervalRow | None
    """On other pieces than those on which the site was chosen."""


class AtSiteRow(Table):
    """What an approach chose at one site, and what changing it did."""

    site: str
    features: int
    r2: float | None
    delta_recurrence: IntervalRow | None


class ApproachRow(Table):
    """A row of data/approaches.jsonl."""

    name: str
    model: str
    """Hub id or folder of the model under study."""
    horizon: str
    """Of which claims are made."""
    site: str | None
    """Null where nothing was found; so are all measures."""
    hook: str | None
    features: list[int]
    r2: float | None
    """As the approach would report it."""
    partial_r2: IntervalRow | None
    """Beyond the controls, over tracks that had no say in the choice of features."""
    clap_similarity: IntervalRow | None
    """To the untreated continuation."""
    delta_recurrence: IntervalRow | None
    """Points towards the source."""
    over_random: IntervalRow | None
    """Its excess over matched random features."""
    verdict: Verdict
    screened: ScreenedRow | None
    by_site: list[AtSiteRow]
    exploratory: bool
    """Whether tracks with undecided proposals were admitted."""
