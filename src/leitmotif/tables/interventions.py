"""data/interventions.jsonl: one line for each generated clip, and enough in it to make it again."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from leitmotif.files import read_table
from leitmotif.sites import Site
from leitmotif.tables.base import Count, PathBelow, Sha256, Share, Span, Table, TrackId
from leitmotif.tables.effects import Kind

LOG = Path("data/interventions.jsonl")


class ClipMetrics(Table):
    """Of one clip; null where it was excluded or there is nothing to measure."""

    recurrence: float | None = None
    """Share of the prefix's motifs that return in the continuation."""
    clap_similarity: float | None = None
    """Mean CLAP cosine with the baseline in short windows; 1 is the same."""
    clap_prompt: float | None = None
    """CLAP cosine of the continuation with the prompt; null without one."""
    loudness_db: float | None = None
    """RMS level over the baseline's."""
    spectral_db: float | None = None
    """Log-spectral distance from the baseline; 0 is the same."""
    log_likelihood: float | None = None
    """Nats a token by which the untreated model finds the clip likelier than the baseline."""


class SamplingRow(Table):
    """How a clip's tokens were drawn."""

    temperature: float
    """Temperature of the softmax; 0 takes the likeliest token."""
    top_k: int | None
    """Only so many likeliest tokens; null: all."""
    top_p: float | None
    """Only the likeliest tokens that make up this probability; null: all."""
    guidance_scale: float | None
    """Weight of the prompt; null: the checkpoint's own."""
    prompt: str | None
    """Text that conditioned the model; null for unconditional generation."""


class ReturnRow(Table):
    """Where a clip returns a motif of its prefix, or comes nearest to that."""

    motif: Span
    """Samples of the clip, as all spans of its line."""
    start_sample: Count | None
    """Where the motif fits best; null where nothing is like it, or no room."""
    transposition: int
    """Semitones."""
    score: float | None
    """Score as of a proposal; null as the place is."""
    p: Share
    """Under the null, as of a proposal."""
    recurs: bool
    """Whether it counts as returned: p and score are within interventions.p and min_score."""


class OpeningRow(Table):
    """What the model itself put after a recording's prefix."""

    seed: Count
    """Seed of its noise."""
    frames: Annotated[int, Field(ge=1)]
    """Frames at the end of the prefix."""


class InterventionRow(Table):
    """A line of the log. Codes are hashed as int32, audio as 16-bit samples."""

    KEY = ("model", "candidate", "name", "track_id", "seed", "clip_id")

    clip_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    """Of all that decides the clip. Candidates may share one, and each then has its line."""
    track_id: TrackId
    """The piece that is continued."""
    model: str
    """Hub id or folder."""
    model_fingerprint: Sha256
    """SHA-256 of its weights and sizes."""
    candidate: str
    """Whose condition it is; empty for a baseline, a counterfactual and a shift of positions."""
    name: str
    """Of the condition, as data/effects.jsonl has it: such as patch_gap or scale_gap_-2."""
    condition: Kind
    """What was done."""
    site: Site | None
    """Canonical name; null where nothing was changed."""
    feature: Count | list[Count] | None
    """Feature or coordinate, or several changed together; null for a whole site."""
    sae: str | None
    """Entry of hooks.yaml; null where the feature is a coordinate."""
    sae_sha256: Sha256 | None
    """SHA-256 of its weights."""
    strength: float | None
    """In ``a' = strength * a``, or with a source ``a' = a + strength * (a_source - a)``; of a shift
    of positions, the steps by which they are moved; null where nothing was changed."""
    source: str | None
    """The prefix whose run the activations, or with a counterfactual the start, come from: the twin
    of a slot, or an opening by its seed."""
    steps: tuple[Count, Count] | None
    """Decoder steps [start, stop); null: all that have read a token of the continuation."""
    seed: Count
    """Seed of the noise, which a clip shares with its baseline."""
    sampling: SamplingRow
    """How the tokens were drawn."""
    prefix_sha256: Sha256
    """SHA-256 of the codes that are continued."""
    prefix_frames: Annotated[int, Field(ge=1)]
    """How many frames of codes they are."""
    opening: OpeningRow | None
    """The end of the prefix, where the model made it; null where all of it is the track's."""
    frames: Annotated[int, Field(ge=1)]
    """Frames of the continuation."""
    tokens_sha256: Sha256
    """SHA-256 of prefix and continuation, as the audio hashes are."""
    baseline_audio_sha256: Sha256
    """Of the clip before the intervention: same piece, same noise, nothing changed."""
    audio_sha256: Sha256
    """SHA-256 of the clip after it."""
    file: PathBelow | None
    """The clip's audio, relative to the log; null where it was not kept."""
    metrics: ClipMetrics
    """What was measured."""
    heard: Span | None
    """In which a return counts; null for all of the continuation. May end after the clip."""
    returns: list[ReturnRow]
    """One for each motif of the prefix; none where the clip was not measured."""
    excluded: str | None
    """Why the clip was not measured."""


def read_log(path: Path = LOG) -> list[InterventionRow]:
    """Read the log; raises LeitmotifError naming the line and the field."""
    return read_table(path, InterventionRow)
