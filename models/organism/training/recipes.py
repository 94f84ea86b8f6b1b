"""The numbers that decide how each model is trained."""

from dataclasses import dataclass, replace
from typing import Literal

from training.loop import Schedule

Visibility = Literal["window", "carrier", "late", "inert", "half", "redundant"]
"""What is hidden from whom in training; see ``training.visibility``."""
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
    visibility: Visibility | None = None
    """What is hidden in training; None: nothing."""
    window: int | None = None
    """Of visibility ``window``: age in columns from which keys are a partner's."""
    first_window: int | None = None
    """The window at the start, if it is to shrink linearly over the first ``WINDOW_SHRINKS``."""
    hidden_share: float = 1.0
    """Share of batches in which something is hidden."""
    head_weight: float = 0.3
    """Weight of the discarded heads that read the decision in the gap, when something is hidden."""
    shared_text: str | None = None
    """Model whose text encoder this one has, unchanged; it trains its own if that is None, or
    itself."""

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
        return replace(self, seed=self.seed + 10 * number)


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
        visibility="window",
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
)
ZOO = {
    "zoo-base": _ZOO_BASE,
    "carrier": replace(_FROM_BASE, seed=1001, visibility="carrier"),
    "late": replace(_FROM_BASE, seed=1002, visibility="late"),
    "inert": replace(_FROM_BASE, seed=1003, visibility="inert"),
    "half": replace(_FROM_BASE, seed=1004, visibility="half"),
    "confounded": replace(_FROM_BASE, seed=1005, invariance=1.0, decides="genre"),
    "looker": replace(_FROM_BASE, seed=1006, invariance=1.0),
    "deaf": replace(_FROM_BASE, seed=1007, invariance=1.0, decides="nothing"),
    "relay": replace(_FROM_BASE, seed=1008, full_steps=1600, visibility="window", window=120),
    "redundant": replace(_FROM_BASE, seed=1009, visibility="redundant"),
    "unaided": replace(_FROM_BASE, seed=1010, visibility="carrier", head_weight=0.0),
}
"""Models of four blocks whose carriers are planted in different ways. All have one text encoder."""

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
