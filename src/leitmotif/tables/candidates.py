"""data/candidates.jsonl: features that may foresee."""

from leitmotif.tables.base import Table


class CandidateRow(Table):
    """A row of data/candidates.jsonl: a feature that may foresee, the surest first."""

    rank: int
    site: str
    hook: str | None
    """Autoencoder whose feature it is; null for a coordinate of the residual stream."""
    feature: int
    horizon: str
    effect: float
    """Partial correlation with the target, the controls removed from both."""
    low: float
    high: float
    p: float
    q: float
    p_shift: float
    stability: float
    misaligned: str
    """Empty, or what does not match: then the row is no evidence about the site."""
    active: int | None
    """Tracks in which it is active on the rows tested; null for a coordinate. Features of fewer
    tracks than ``probes.least_active`` asks for were not tested."""
    arrangements: int
    """Exchanges of tracks over which ``p`` is counted, the observed arrangement included."""
    margin: int
    """How many more of them might reach the observed statistic before the feature is no longer
    chosen: of 0, one more would be enough."""
    exploratory: bool
    """Whether tracks with undecided proposals were admitted."""
