"""Settings of interventions: who judges them, how they are made, and what is shown of them."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from leitmotif.config.section import Settings, is_hub_id
from leitmotif.errors import ConfigError


class JudgeParams(Settings):
    """Models that evaluate generated audio: hub ids or folders."""

    clap: str
    clap_revision: Annotated[str | None, Field(pattern=r"^[0-9a-f]{40}$")]
    """Commit of the hub repository; null for a folder, required for a hub id."""
    tagger: str
    tagger_revision: Annotated[str | None, Field(pattern=r"^[0-9a-f]{40}$")]
    second_tagger: str | None
    """Another tagger that hears what each layer plays, to say how far the two agree; null: none."""
    second_tagger_revision: Annotated[str | None, Field(pattern=r"^[0-9a-f]{40}$")]
    watch: str
    """Path that DVC watches for a change of their weights; see ``model.watch``."""
    device: Literal["auto", "cpu", "cuda", "mps"]

    @field_validator("clap_revision", "tagger_revision", "second_tagger_revision")
    @classmethod
    def _pinned(cls, revision: str | None, info: ValidationInfo) -> str | None:
        judge = str(info.field_name).removesuffix("_revision")
        name = info.data.get(judge)
        if name is not None and is_hub_id(name) and revision is None:
            raise ValueError(
                f"judge.{judge} {name!r} is not a folder here, so it is read as a hub id, which "
                "needs a 40-digit revision: results must not change when the hub does"
            )
        return revision


class InterventionsParams(Settings):
    """How pieces are continued under interventions, and how the effects are measured."""

    tracks: Annotated[int, Field(ge=2)]
    """Number of pieces to continue; the first suitable tracks of the manifest are used."""
    seeds: Annotated[int, Field(ge=1)]
    """Number of continuations of each piece under each condition."""
    prefix_seconds: Annotated[float, Field(gt=0)]
    """Length of a recording's prefix. A composed piece is continued from the end of its cue.
    ``auto``: the shortest with which most recordings can be continued."""
    openings: Annotated[int, Field(ge=3)]
    """Number of ways in which the model first continues a recording's prefix; those after which the
    motif returns and those after which it does not are each other's counterfactuals."""
    opening_seconds: Annotated[float, Field(gt=0)]
    """Length of an opening."""
    opening_trials: Annotated[int, Field(ge=1)]
    """Number of continuations of each opening that say whether the motif returns after it."""
    treated_seconds: Annotated[float, Field(gt=0)]
    """Length of the stretch after an opening in which the model is treated."""
    seconds: Annotated[float, Field(gt=0)]
    """Length of the continuation, which begins after the cue or the opening. ``auto``: until the
    claimed horizon ends, within 30 s of prefix, opening and continuation."""
    temperature: Annotated[float, Field(ge=0)]
    top_k: Annotated[int | None, Field(ge=1)]
    guidance_scale: float | None
    """Weight of the prompt (classifier-free guidance); null uses the checkpoint's value."""
    candidates: Annotated[int, Field(ge=0)]
    """Number of features in data/candidates.jsonl that are tried one by one."""
    together: Annotated[int, Field(ge=0)]
    """Number of highest-ranked features of one site that are tried at once; 0 for none."""
    doses: list[float]
    """Factors of ``scale``; 1 leaves the feature unchanged."""
    random: Annotated[int, Field(ge=1)]
    """Number of matched random features, or groups of them, for each candidate."""
    position_shift_seconds: Annotated[float, Field(ge=0)]
    """Control of all candidates: nothing is changed but the positions of prefix and continuation,
    which begin so much later. 0: no such control."""
    min_similarity: Annotated[float, Field(ge=-1, le=1)]
    """Minimum mean CLAP similarity to the baseline. Below it an effect is entangled, not a
    finding."""
    min_log_likelihood: float | None
    """The same of the clips' log-likelihood under the untouched model, in nats a token more than
    the baseline's. null: it is not asked."""
    p: Annotated[float, Field(gt=0, lt=1)]
    """Maximum p-value at which a motif counts as returned."""
    min_score: Annotated[float, Field(ge=0, le=1)]
    """Minimum score at which a motif counts as returned."""
    rows: Annotated[int, Field(ge=2)]
    """Number of clips in a batch. ``auto``: as many as ``resources`` have room for."""
    kept_tracks: Annotated[int, Field(ge=0)]
    """Number of pieces whose clips are kept as audio for the report."""
    seed: Annotated[int, Field(ge=0)]

    @field_validator("doses")
    @classmethod
    def _doses(cls, doses: list[float]) -> list[float]:
        if len(set(doses)) < len(doses) or {0.0, 1.0} & set(doses):
            raise ValueError(f"{doses} repeats a dose or has 0 (ablate) or 1 (the feature itself)")
        return doses

    def check_reach(self, horizon: float) -> None:
        """Raise ConfigError if no return can be heard ``horizon`` seconds after the treatment."""
        least = self.treated_seconds + horizon
        if self.seconds <= least:
            raise ConfigError(
                "the continuation is too short for a return that far ahead",
                found=f"interventions.seconds {self.seconds:g}",
                expected=f"more than {least:g}: interventions.treated_seconds, and the nearest "
                "horizon of which a claim is made",
                fix="continue for longer, or choose a nearer horizon (probes.minimum_seconds)",
            )


class InterchangeParams(Settings):
    """How residuals are exchanged between pieces that are read; see docs/stages/interchange.md."""

    tracks: Annotated[int, Field(ge=2)]
    """Number of pieces; as many as can be have each combination of decisions."""
    lead_seconds: Annotated[float, Field(gt=0)]
    """Resolution of the curve over lead time: residuals are exchanged in stretches of this
    length."""
    rows: Annotated[int, Field(ge=1)]
    """Number of events that are read at once."""


class SummaryParams(Settings):
    """Which ways to look for foresight are compared."""

    approaches: Annotated[
        list[Literal["naive", "local", "misaligned", "aligned"]], Field(min_length=1)
    ]


class ReportParams(Settings):
    """The listening report."""

    conditions: Annotated[
        list[
            Literal[
                "patch",
                "ablate",
                "scale",
                "control",
                "random_feature",
                "local_feature",
                "zero_effect",
                "counterfactual",
                "position_shift",
            ]
        ],
        Field(min_length=1),
    ]
    """Conditions whose pairs are shown. Each pair adds up to two clips of audio to the report."""
    features: Annotated[int, Field(ge=0)]
    """Number of highest-ranked candidates that get a page. Features with interventions always
    have one."""
