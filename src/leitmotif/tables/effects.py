"""data/effects.jsonl and data/verdicts.jsonl: what changing a model did, and what that means."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from leitmotif.sites import Site
from leitmotif.tables.base import Count, Share, Table
from leitmotif.tables.interval import IntervalRow

Kind = Literal[
    "baseline",
    "counterfactual",
    "zero_effect",
    "ablate",
    "scale",
    "patch",
    "control",
    "random_feature",
    "local_feature",
    "position_shift",
]
"""What is done to a model; ``leitmotif.causal.experiment.conditions`` says how."""

Verdict = Literal[
    "entangled",
    "foresight",
    "local",
    "look-back",
    "just in time",
    "causal, not decoded",
    "decodable, not causal",
    "unknown",
    "none",
]
"""What a candidate is; ``leitmotif.causal.verdict`` has the rules."""


class EffectRow(Table):
    """A row of data/effects.jsonl: one model under one condition, over all pieces."""

    KEY = ("model", "candidate", "name")

    model: str
    """Name of the model's folder; the one under study comes first."""
    candidate: str
    """Whose condition it is; empty for a baseline, a counterfactual and a shift of positions."""
    name: str
    """Such as patch_gap: kind, window, and a dose or number where there are several."""
    condition: Kind
    tested: bool
    """Whether the candidate's verdict rests on it."""
    site: Site | None
    """Null where nothing was changed."""
    strength: float | None
    """Factor of the change; of a shift of positions, its steps."""
    source: str | None
    window: str | None
    """Name of the steps that were treated: ahead or slot; see docs/stages/interventions.md.
    Null where nothing was changed."""
    delta_recurrence: IntervalRow | None
    """Change of the recurrence rate in points; null for fewer than two pieces, as all measures."""
    towards_source: IntervalRow | None
    """The same, positive where a piece changes towards what the source would do."""
    clap_similarity: IntervalRow | None
    """Similarity to the baseline; the next two are also compared with it."""
    loudness_db: IntervalRow | None
    spectral_db: IntervalRow | None
    log_likelihood: IntervalRow | None
    clips: Count
    changed: Count
    """Clips whose tokens are not those of the baseline."""
    excluded: dict[str, Count]
    """Clips that were not measured, by reason."""


class PossibleRow(Table):
    """What an effect had to be to count, as ``leitmotif.causal.possible`` says."""

    gaining: Count
    """Pieces that lack the event and were measured."""
    losing: Count
    """Pieces that have it and were measured."""
    level: Share
    """Largest p-value with which the candidate counts, beside the others that were tried as they
    are."""
    least: float | None
    """Points: no smaller mean change could count; null where none could, however large."""
    likely: float | None
    """Points: a mean change that would have been found in 80 % of experiments; null as ``least``
    is."""


class VerdictRow(Table):
    """A row of data/verdicts.jsonl: a candidate of one model, and what it was found to be."""

    KEY = ("model", "candidate")

    model: str
    """Model as in data/effects.jsonl."""
    candidate: Annotated[str, Field(min_length=1)]
    site: Site
    hook: str | None
    """Autoencoder of the features; null for coordinates of the residual stream and whole sites."""
    features: list[Count]
    """None of them for a whole site."""
    verdict: Verdict
    possible: PossibleRow | None = None
    """What could have been found; null in tables of older versions."""
    effect: IntervalRow | None
    """What the tested condition does, in points towards the source; null for fewer than two pieces,
    as the others."""
    over_controls: IntervalRow | None
    """Excess of that over its controls: the patch from a run that says the same and, of features,
    matched random ones; in each piece over the stronger kind. Null for fewer than two pieces."""
    gained: IntervalRow | None
    """The same of the pieces that lack the event: how many more of them have it."""
    lost: IntervalRow | None
    """The same of the pieces that have it: how many fewer of them do."""
    lead: float | None
    """Seconds ahead of the event from which on the site's residuals carry it, as data/
    interchange.jsonl says; null if from nowhere, and if they were not ``exchanged``."""
    exchanged: bool | None = None
    """Whether the site's residuals were exchanged in pieces that are read: not those of features,
    nor where recordings are too few. Null in tables of older versions."""
    clap_similarity: IntervalRow | None
    log_likelihood: IntervalRow | None = None
    """Of a token under the untouched model, in nats more than the baseline's; null in tables of
    older versions."""
    effect_per_fidelity_lost: IntervalRow | None
    """Null where nothing was lost."""
    dose_response: IntervalRow | None
    """Points per unit of strength; null for fewer than two doses."""
    match_distance: float | None
    """Distance of the random feature that is least like the one it stands for."""
    exploratory: bool
    """Whether tracks with undecided proposals were admitted."""


def whole_sites(rows: Iterable[VerdictRow], model: str) -> list[VerdictRow]:
    """Of one model, the candidates that are whole sites."""
    return [row for row in rows if row.model == model and not row.features]


def identity(rows: Sequence[EffectRow]) -> tuple[int, int]:
    """How many clips were read and written back, and how many of them came out differently."""
    written_back = [row for row in rows if row.condition == "zero_effect"]
    return sum(row.clips for row in written_back), sum(row.changed for row in written_back)
