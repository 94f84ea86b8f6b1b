"""How the clips of both experiments are sampled."""

from dataclasses import dataclass
from typing import Self

from leitmotif.config import DecoderLensParams
from leitmotif.musicgen import Sampling


@dataclass(frozen=True)
class Playing:
    """How clips are sampled."""

    seconds: float
    sampling: Sampling
    guidance_scale: float | None
    """Weight of the prompt; None: the checkpoint's."""
    seed: int

    @classmethod
    def of(cls, settings: DecoderLensParams, seconds: float) -> Self:
        """As the settings say, for clips of so many seconds."""
        return cls(
            seconds=seconds,
            sampling=Sampling(temperature=settings.temperature, top_k=settings.top_k),
            guidance_scale=settings.guidance_scale,
            seed=settings.seed,
        )
