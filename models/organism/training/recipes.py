"""The numbers that decide how each model is trained."""

from dataclasses import dataclass


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
    cue_decides: bool = True
    """Whether the slots do what the cue says; if not, the cue is drawn apart from them."""
    untold: float = 0.2
    """Share of pieces read without their prompt, as guidance and the pipeline do."""
    window: int | None = None
    """Age in columns from which keys are a partner's: the decision must then be carried."""
    window_share: float = 0.9
    head_weight: float = 0.3
    """Weight of the discarded heads that read the decision in the gap, when there is a window."""


RECIPES = {
    "reader": Recipe(start=None, seed=0, skip_steps=1200, full_steps=1200),
    "blind": Recipe(start=None, seed=2, skip_steps=1200, full_steps=1200, cue_decides=False),
    "planner": Recipe(
        start="reader",
        seed=1,
        skip_steps=0,
        full_steps=800,
        muon_rate=4e-3,
        adam_rate=1.2e-3,
        window=120,
    ),
}
