"""Autoencoders trained on rows in memory, in seconds; for comparisons, not for use."""

import torch
from torch import Tensor

from leitmotif.sae.autoencoder.model import SparseAutoencoder
from leitmotif.sae.autoencoder.trained import Training
from leitmotif.sae.training.train import Trainer


class HeldRows:
    """Rows [n, d] for a training; a step's batch depends on the seed and the step only."""

    identity = "in memory"

    def __init__(self, rows: Tensor) -> None:
        self._rows, self.width = rows, rows.shape[1]

    def centre(self) -> tuple[Tensor, float]:
        """Mean [d], and root mean square of the rows' distance from it."""
        mean = self._rows.mean(0)
        return mean, float((self._rows - mean).square().sum(1).mean().sqrt())

    def batch(self, step: int, rows: int, seed: int) -> Tensor:
        """Rows drawn with replacement: [rows, d]."""
        random = torch.Generator().manual_seed(1_000_003 * seed + step)
        return self._rows[torch.randint(len(self._rows), (rows,), generator=random)]


class FrozenDecoder(Trainer):
    """A training in which the decoder stays as it was drawn.

    On most scores such an autoencoder matches a trained one (arXiv:2602.14111), so it is what a
    trained one has to beat.
    """

    def _descend(self, loss: Tensor) -> None:
        drawn = self.weights["W_dec"].detach().clone()
        super()._descend(loss)
        with torch.no_grad():
            self.weights["W_dec"].copy_(drawn)


def trained_on(
    rows: Tensor, settings: Training, *, trainer: type[Trainer] = Trainer
) -> SparseAutoencoder:
    """Train an autoencoder on rows [n, d], to the last step."""
    training = trainer(settings, HeldRows(rows))
    while training.step < settings.steps:
        training.advance()
    with torch.no_grad():
        return training.export({})
