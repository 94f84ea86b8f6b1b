"""How an autoencoder was trained here and what that reached, as its folder's training.json says."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from leitmotif.config import Settings
from leitmotif.errors import ModelError
from leitmotif.files import read_json
from leitmotif.tables.alignment import TrainedRow

TRAINING = "training.json"


class Training(Settings):
    """Everything but the activations that decides an autoencoder's weights."""

    kind: Literal["topk", "batchtopk"] = "topk"
    d_sae: Annotated[int, Field(ge=1)]
    k: Annotated[int, Field(ge=1)]
    """Active features a row; on average over a batch for batch top-k."""
    steps: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=1)] = 2048
    """Rows a step."""
    rate: Annotated[float, Field(gt=0)] = 1e-3
    """Adam's learning rate at its peak."""
    warm_up: Annotated[int, Field(ge=0)] = 100
    decay: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Share of the steps over which the rate falls to 0, at the end."""
    dead_after: Annotated[int, Field(ge=1)] = 100_000
    """Rows without an activation after which a feature counts as dead."""
    aux_k: Annotated[int, Field(ge=1)] = 64
    """Dead features that the auxiliary loss lets speak in each row."""
    aux_weight: Annotated[float, Field(ge=0)] = 1 / 32
    threshold_rate: Annotated[float, Field(gt=0, le=1)] = 0.01
    """How fast batch top-k's threshold follows the least activation kept."""
    seed: Annotated[int, Field(ge=0)] = 0

    def rate_at(self, step: int) -> float:
        """Learning rate in one step: a linear rise, a plateau, a linear fall."""
        rising = min(1.0, (step + 1) / max(self.warm_up, 1))
        falling = min(1.0, (1 - step / self.steps) / self.decay) if self.decay else 1.0
        return self.rate * rising * falling


class Trained(TrainedRow):
    """training.json: what training reached, and with which settings."""

    settings: Training


def trained_of(folder: Path) -> Trained | None:
    """What training.json says, where there is one; raises ModelError if it says something else."""
    path = folder / TRAINING
    if not path.exists():
        return None
    fix = "restore it, or train the autoencoder again"
    values = read_json(path, fix=fix, error=ModelError)
    try:
        return Trained.model_validate(values, strict=False)
    except ValueError as error:
        raise ModelError(
            f"{path} is not what `leitmotif train-sae` writes", found=error, fix=fix
        ) from error
