"""Settings of proposals and labels: which recurrences are searched for, and which count."""

from typing import Annotated, Literal

from pydantic import Field

from leitmotif.config.section import Settings


class ProposalsParams(Settings):
    """How recurrences are searched for, and which of them become proposals."""

    lengths: Annotated[list[Annotated[float, Field(ge=0.2)]], Field(min_length=1)]
    """Lengths of motif windows in seconds, ascending."""
    min_lag: Annotated[float, Field(ge=0)]
    """Minimum time in seconds from the start of a motif to the start of its recurrence. The two
    windows never overlap."""
    tempo: Annotated[float, Field(ge=0, le=0.2)]
    """Maximum relative tempo difference of a recurrence: 0.08 allows 8 % faster or slower."""
    transpositions: Annotated[int, Field(ge=0, le=6)]
    """Maximum transposition of a recurrence in semitones, up or down."""
    rhythm: Annotated[float, Field(ge=0, le=2)]
    """Weight of the rhythm correlation in the likeness; pitch similarity has weight 1."""
    overlap: Annotated[float, Field(gt=0, le=1)]
    """Proposals are merged if both their windows have this intersection over union."""
    texture_seconds: Annotated[float, Field(gt=0)]
    """Anything shorter counts as texture. The null keeps blocks of this length."""
    max_texture: Annotated[float, Field(gt=0, le=1)]
    """Maximum share of a pair's similarity that texture may explain; other pairs are left out."""
    per_minute: Annotated[float, Field(gt=0)]
    """Maximum number of proposals per minute of audio; a short track may have 20."""
    p: Annotated[float, Field(gt=0, lt=1)]
    """Maximum family-wise p-value of a track's best proposal. Otherwise the track has none."""
    false_per_minute: Annotated[float, Field(ge=0)]
    """Proposals of such a track are kept down to the score that this many false proposals per
    minute would reach if nothing returned."""
    min_score: Annotated[float, Field(ge=0, le=1)]
    """Minimum likeness of a proposal: texture alone reaches 0, an exact repetition 1."""
    null_rounds: Annotated[int, Field(ge=0)]
    """Number of surrogates of each track in which nothing returns. They measure how many null
    tracks have proposals."""
    seed: Annotated[int, Field(ge=0)]
    """Seed of the surrogates."""


class LabelsParams(Settings):
    """Which recurrences count as verified."""

    source: Literal["score", "decisions"]
    """``score``: the organism's score. ``decisions``: decisions made on the review page."""
    decisions: str
    """Folder of the decision logs, one JSON-lines file per reviewer, kept in git."""
    min_reviewers: Annotated[int, Field(ge=1)]
    """Number of first decisions that a pair needs before it can become a label."""
