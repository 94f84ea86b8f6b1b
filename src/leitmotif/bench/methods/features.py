"""One feature of a site at a time, found on some pieces: what of a residual is exchanged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from leitmotif.bench.method import MINIMUM_SECONDS
from leitmotif.bench.methods.readings import Readings
from leitmotif.sae.autoencoder.model import SparseAutoencoder
from leitmotif.sae.autoencoder.trained import Training
from leitmotif.sae.training.train import Trainer

COMPONENTS = 32
"""Principal components of which one is chosen."""
SAE = Training(d_sae=512, k=8, steps=150, batch=1024, warm_up=20)
DAS_STEPS, DAS_RATE = 12, 0.1


class Feature(Protocol):
    """One dimension of a site."""

    def change(self, own: Tensor, donor: Tensor) -> Tensor:
        """What is added to residuals [..., d] so that they hold the donor's value: [..., d]."""


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction of the residual stream."""

    unit: Tensor
    """[d] of norm 1."""

    def change(self, own: Tensor, donor: Tensor) -> Tensor:
        """See ``Feature``."""
        return ((donor - own) @ self.unit)[..., None] * self.unit


@dataclass(frozen=True, eq=False)
class SaeFeature:
    """A feature of a sparse autoencoder, with its decoder's direction."""

    autoencoder: SparseAutoencoder
    number: int

    def change(self, own: Tensor, donor: Tensor) -> Tensor:
        """See ``Feature``."""
        held = [
            self.autoencoder.read(read.reshape(-1, read.shape[-1]), [self.number])
            for read in (own, donor)
        ]
        risen = (held[1] - held[0]).reshape(*own.shape[:-1], 1)
        return risen * self.autoencoder.W_dec[self.number]


@dataclass(frozen=True, eq=False)
class Fit:
    """The pieces that a feature of one site may be found on."""

    readings: Readings
    site: str
    rows: Sequence[int]

    def signs(self) -> Tensor:
        """[rows] 1 where the counterfactual has the event, -1 where it lacks it."""
        pieces = self.readings.pieces
        return torch.tensor([-1.0 if pieces[row].returns else 1.0 for row in self.rows])

    def far(self, row: int) -> slice:
        """The steps of a piece that lie far enough ahead."""
        steps = self.readings.pieces[row].steps(self.readings.frame_rate, MINIMUM_SECONDS, None)
        return slice(steps.start, steps.stop)

    def residuals(self) -> Tensor:
        """All far residuals of pieces, counterfactuals and controls: [n, d]."""
        held = (self.readings.own, *self.readings.donors.values())
        return torch.cat(
            [part[self.site][row, self.far(row)] for part in held for row in self.rows]
        )

    def differences(self) -> Tensor:
        """Counterfactual less piece, mean over a piece's far steps: [rows, d]."""
        own = self.readings.own[self.site]
        other = self.readings.donors["counterfactual"][self.site]
        return torch.stack(
            [(other[row, self.far(row)] - own[row, self.far(row)]).mean(0) for row in self.rows]
        )


def principal_component(fit: Fit) -> Direction:
    """The principal component of the far residuals that tells the decision best."""
    rows = fit.residuals()
    _, _, components = torch.pca_lowrank(rows.double(), q=COMPONENTS, niter=4)
    best = _best(fit.differences().double() @ components, fit.signs())
    return Direction(components[:, best].to(rows.dtype))


def sparse_feature(fit: Fit) -> SaeFeature:
    """The feature that tells the decision best, of an autoencoder trained on the far residuals."""
    trainer = Trainer(SAE, _Rows(fit.residuals()))
    while trainer.step < SAE.steps:
        trainer.advance()
    autoencoder = trainer.export({})
    active = []
    for held in (fit.readings.own, fit.readings.donors["counterfactual"]):
        read = [autoencoder.encode(held[fit.site][row, fit.far(row)]) for row in fit.rows]
        active.append(torch.stack([codes.dense(SAE.d_sae).mean(0) for codes in read]))
    return SaeFeature(autoencoder, _best(active[1] - active[0], fit.signs()))


def aligned_direction(fit: Fit, wanted: Tensor) -> Direction:
    """The direction whose exchange at the far steps moves the events as ``wanted`` [rows] says.

    That is distributed alignment search (Geiger et al. 2023) in one dimension. ``wanted`` is 1 for
    events that should appear and -1 for those that should vanish; with ``fit.signs()`` the
    direction is that of the decision. It begins as the mean difference.
    """
    rows = list(fit.rows)
    own = fit.readings.own[fit.site][rows]
    other = fit.readings.donors["counterfactual"][fit.site][rows]
    weight = (wanted[:, None] * fit.differences()).mean(0)
    weight = F.normalize(weight + 1e-6, dim=0).clone().requires_grad_()
    inside = torch.zeros(own.shape[:2])
    for number, row in enumerate(rows):
        inside[number, fit.far(row)] = 1.0
    descent = torch.optim.Adam([weight], lr=DAS_RATE)
    for _ in range(DAS_STEPS):
        direction = Direction(F.normalize(weight, dim=0))
        mixed = own + direction.change(own, other) * inside[..., None]
        odds = fit.readings.odds_from(fit.site, mixed, rows)
        loss = F.softplus(-wanted * odds).mean()
        descent.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        descent.step()
    return Direction(F.normalize(weight.detach(), dim=0))


def _best(changes: Tensor, signs: Tensor) -> int:
    """Which of [rows, features] goes with the signs [rows] most surely."""
    signed = changes * signs[:, None].to(changes.dtype)
    return int((signed.mean(0).abs() / (signed.std(0) + 1e-6)).argmax())


class _Rows:
    """Rows for a training, in memory."""

    identity = "in memory"

    def __init__(self, rows: Tensor) -> None:
        self._rows, self.width = rows, rows.shape[1]

    def centre(self) -> tuple[Tensor, float]:
        mean = self._rows.mean(0)
        return mean, float((self._rows - mean).square().sum(1).mean().sqrt())

    def batch(self, step: int, rows: int, seed: int) -> Tensor:
        random = torch.Generator().manual_seed(seed * SAE.steps + step)
        return self._rows[torch.randint(len(self._rows), (rows,), generator=random)]
