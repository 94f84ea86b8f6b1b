"""data/approaches.jsonl: four ways to look for foresight, by the same code."""

from leitmotif.sites import Site
from leitmotif.tables.base import Count, Table
from leitmotif.tables.effects import PossibleRow, Verdict
from leitmotif.tables.interval import IntervalRow


class ScreenedRow(Table):
    """What an approach would have found if interventions had chosen its site."""

    site: Site
    delta_recurrence: IntervalRow | None
    """Effect on other pieces than those on which the site was chosen."""


class AtSiteRow(Table):
    """What an approach chose at one site, and what changing it did."""

    site: Site
    features: Count
    r2: float | None
    delta_recurrence: IntervalRow | None


class OtherwiseRow(Table):
    """What an approach would have found if the nearest feature had changed sides.

    Features are taken at thresholds; the nearest is the one closest to any of them.
    """

    near: float
    """Share by which the number would have to change that decides of that feature, at most 1."""
    site: Site | None
    """Null where no feature would be left."""
    delta_recurrence: IntervalRow | None
    verdict: Verdict
    stable: bool
    """Whether site and verdict would stay."""


class ApproachRow(Table):
    """A row of data/approaches.jsonl."""

    KEY = ("name",)

    name: str
    model: str
    """Hub id or folder of the model under study."""
    horizon: str
    """Horizon of which claims are made."""
    site: Site | None
    """Null where nothing was found; so are all measures."""
    hook: str | None
    features: list[Count]
    r2: float | None
    """R² as the approach would report it."""
    partial_r2: IntervalRow | None
    """Beyond the controls, over tracks that had no say in the choice of features."""
    clap_similarity: IntervalRow | None
    """Similarity to the untreated continuation."""
    delta_recurrence: IntervalRow | None
    """Points towards the source."""
    over_controls: IntervalRow | None
    """Its excess over its controls (data/verdicts.jsonl)."""
    verdict: Verdict
    possible: PossibleRow | None = None
    """What could have been found; null where nothing was changed, and in tables of older
    versions."""
    screened: ScreenedRow | None
    by_site: list[AtSiteRow]
    lead: Count | None
    """By how many of the surest features the first site leads the next; null without a next."""
    otherwise: OtherwiseRow | None
    """Null where nothing was found."""
    exploratory: bool
    """Whether tracks with undecided proposals were admitted."""
