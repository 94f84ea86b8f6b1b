"""The numbers that decide how each model is trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from training.loop import Schedule

Decides = Literal["cue", "nothing", "genre"]
"""What the slots follow: the cue; a draw that nothing announces; mostly the genre."""

WINDOW_SHRINKS = 0.7
"""Share of a run over which a shrinking window shrinks."""


@dataclass(frozen=True)
class Recipe:
    """One training run; the same recipe on the same machine gives the same weights."""

    start: str | None
    """Model whose weights are the start; None for random ones."""
    seed: int
    skip_steps: int
    """Steps with the filler's columns left out: the cue is near its slots, so copying is learnt."""
    full_steps: int
    """Steps on whole pieces, after those."""
    layers: int = 6
    columns_per_step: int = 3000
    muon_rate: float = 6e-3
    """Peak learning rate of the decoder's matrices."""
    adam_rate: float = 1.8e-3
    """Peak learning rate of everything else."""
    warm_up: int = 40
    decay: float = 0.4
    """Share of all steps over which the rates fall linearly, at the end."""
    corruption: float = 0.02
    """Share of input codes after the second statement that are replaced at random."""
    decides: Decides = "cue"
    """What the slots follow. If it is not the cue, the cue is drawn apart from them."""
    invariance: float = 0.0
    """Weight, on whole pieces, of how far the residual in the gap of a piece is from its twin's."""
    unprompted: float = 0.2
    """Share of pieces read without their prompt, as guidance and the pipeline do."""
    ways: str | None = None
    """Kind of ``training.visibility.WAYS`` that says what is hidden; None: what the window says."""
    window: int | None = None
    """Age in columns from which keys are a partner's; None: none are."""
    first_window: int | None = None
    """The window at the start, if it is to shrink linearly over the first ``WINDOW_SHRINKS``."""
    hidden_share: float = 1.0
    """Share of batches in which something is hidden."""
    head_weight: float = 0.3
    """Weight of the discarded heads that read the decision in the gap, when something is hidden."""
    shared_text: str | None = None
    """Model whose text encoder this one has, unchanged; it trains its own if that is None, or
    itself."""
    frozen: tuple[str, ...] = ()
    """Parts of parameters' names; these parameters stay those of the start."""
    longer: Mapping[int, int] = field(default_factory=dict)
    """Steps on whole pieces of the replicates that did not learn their ways in ``full_steps``."""

    @property
    def schedule(self) -> Schedule:
        """Steps and learning rates."""
        return Schedule(
            steps=self.skip_steps + self.full_steps,
            muon_rate=self.muon_rate,
            adam_rate=self.adam_rate,
            warm_up=self.warm_up,
            decay=self.decay,
        )

    def window_at(self, step: int) -> int | None:
        """The window in one step."""
        if self.window is None or self.first_window is None:
            return self.window
        shrunk = min(1.0, step / (WINDOW_SHRINKS * self.schedule.steps))
        return round(self.first_window + shrunk * (self.window - self.first_window))

    def replicate(self, number: int) -> "Recipe":
        """The same recipe from another seed; a start is then the replicate of that number too."""
        steps = self.longer.get(number, self.full_steps)
        return replace(self, seed=self.seed + 10 * number, full_steps=steps)


RECIPES = {
    "base": Recipe(start=None, seed=0, skip_steps=1200, full_steps=1200, invariance=1.0),
    "reader": Recipe(
        start="base",
        seed=3,
        skip_steps=0,
        full_steps=800,
        muon_rate=4e-3,
        adam_rate=1.2e-3,
        invariance=1.0,
    ),
    "planner": Recipe(
        start="base",
        seed=1,
        skip_steps=0,
        full_steps=1600,
        muon_rate=4e-3,
        adam_rate=1.2e-3,
        window=120,
    ),
    "blind": Recipe(
        start="base",
        seed=2,
        skip_steps=0,
        full_steps=800,
        muon_rate=4e-3,
        adam_rate=1.2e-3,
        invariance=1.0,
        decides="nothing",
    ),
}
"""Six blocks, each within an hour of one CPU thread. All go on from one base; the planner, which
has more to learn, for twice as many steps."""

SHIPPED = ("planner", "reader", "blind")

SHARED_IN_ZOO = ("embed_tokens", "lm_heads", "encoder_attn", "enc_to_dec_proj", "text_encoder")
"""Parts of parameters' names that the models of a replicate have in common with their base."""
_ZOO_BASE = Recipe(
    start=None,
    seed=1000,
    skip_steps=1200,
    full_steps=1200,
    layers=4,
    invariance=1.0,
    shared_text="zoo-base.0",
)
_FROM_BASE = Recipe(
    start="zoo-base",
    seed=0,
    skip_steps=0,
    full_steps=800,
    layers=4,
    muon_rate=4e-3,
    adam_rate=1.2e-3,
    shared_text="zoo-base.0",
    frozen=SHARED_IN_ZOO,
)
ZOO = {
    "zoo-base": _ZOO_BASE,
    "carrier": replace(_FROM_BASE, seed=1001, ways="carrier"),
    "deep": replace(_FROM_BASE, seed=1002, ways="deep"),
    "handoff": replace(_FROM_BASE, seed=1003, ways="handoff", longer={1: 1600}),
    "half": replace(_FROM_BASE, seed=1004, full_steps=1600, ways="half"),
    "unaided": replace(_FROM_BASE, seed=1005, full_steps=1600, ways="carrier", head_weight=0.0),
    "redundant": replace(_FROM_BASE, seed=1006, full_steps=1600, ways="redundant"),
    "late": replace(_FROM_BASE, seed=1007, full_steps=1600, ways="late"),
    "inert": replace(_FROM_BASE, seed=1008, ways="inert"),
    "looker": replace(_FROM_BASE, seed=1009, invariance=1.0),
    "confounded": replace(_FROM_BASE, seed=1010, invariance=1.0, decides="genre"),
    "deaf": replace(_FROM_BASE, seed=1011, invariance=1.0, decides="nothing"),
}
"""Models of four blocks whose carriers are planted in different ways. Those of one replicate differ
in self-attention and feed-forward layers alone; all have one text encoder."""

DEEP = {
    f"{name}-24": replace(
        recipe,
        start=recipe.start and f"{recipe.start}-24",
        layers=24,
        columns_per_step=24_000,
        skip_steps=2 * recipe.skip_steps,
        full_steps=2 * recipe.full_steps,
        muon_rate=recipe.muon_rate / 2,
        adam_rate=recipe.adam_rate / 2,
    )
    for name, recipe in RECIPES.items()
}
"""The same with as many blocks as musicgen-small, for a GPU: ``--device cuda``. Sixty times the
work of those above; nobody has run them yet."""

ALL = RECIPES | ZOO | DEEP
