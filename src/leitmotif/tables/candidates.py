"""Features that were tested one by one, and data/candidates.jsonl: those that may foresee."""

from collections.abc import Iterable, Iterator

from leitmotif.sites import Site
from leitmotif.tables.base import Count, Share, Table


class Ranked(Table):
    """A feature at one site and horizon with its partial effect, as tests rank it.

    Searches, interventions and pages take a feature in this form.
    """

    site: Site
    hook: str | None
    """Autoencoder whose feature it is; null for a coordinate of the residual stream."""
    feature: Count
    horizon: str
    effect: float
    """Partial correlation with the target, the controls removed from both."""
    low: float
    high: float
    p: Share
    q: Share
    """After Benjamini & Hochberg over all features of all sites of the horizon."""
    p_shift: Share | None
    """By shifting each track's features within the track; null where that was not done."""
    stability: Share | None
    """Share of folds, over all splits, in which the effect has the sign it has overall; null where
    nothing was folded."""
    misaligned: str = ""
    """Empty, or what does not match: then the row is no evidence about the site."""
    tracks: Count | None = None
    """Tracks over which it was tested; null in tables of older versions."""
    active: Count | None = None
    """Tracks in which it is active on the rows tested; null for a coordinate. Features of fewer
    tracks than ``probes.least_active`` asks for were not tested."""
    exchanges: Count | None = None
    """Exchanges of tracks that were made for ``p``: until twenty of them reached the observed
    statistic, or until the feature was certain to be chosen, and ``p`` is then a bound from above.
    Null where p is computed."""
    margin: float | None = None
    """By what p could be multiplied before the feature is no longer chosen. Of a feature that is
    not chosen below 1."""


class CandidateRow(Ranked):
    """A row of data/candidates.jsonl: a feature that may foresee, the surest first."""

    KEY = ("hook", "site", "feature", "horizon", "misaligned")

    rank: int
    exploratory: bool
    """Whether tracks with undecided proposals were admitted."""


def candidate_rows(chosen: Iterable[Ranked], *, exploratory: bool) -> Iterator[CandidateRow]:
    """Chosen features of one horizon, the surest first, with their ranks and four digits."""
    for rank, feature in enumerate(chosen, start=1):
        values = {
            key: float(f"{value:.4g}") if isinstance(value, float) else value
            for key, value in feature
        }
        yield CandidateRow(rank=rank, exploratory=exploratory, **values)
