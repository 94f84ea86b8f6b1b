"""Coordinates of a site: neurons, components, features, found directions, and which come first.

Residuals can be described by many sets of numbers: the axes of the residual stream, principal
components, features of a sparse autoencoder, directions that were trained for the purpose
(distributed alignment search, Geiger et al. 2023, "Finding alignments between interpretable causal
variables and distributed neural representations"). To exchange some coordinates is to add to a
residual what makes it hold the donor's values of them; what a set of coordinates does not describe
stays as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from leitmotif.causal.interchange.reader import EventReader, StepWindow
from leitmotif.precision import doubled
from leitmotif.sae.autoencoder.model import SparseAutoencoder

DAS_STEPS, DAS_RATE = 12, 0.1
_PATH = (0.125, 0.375, 0.625, 0.875)
"""Where on the way from piece to donor gradients are taken."""


@dataclass(frozen=True, eq=False)
class ExchangedCoordinates:
    """Some numbers of which each is read from a residual and written along a direction."""

    read: Callable[[Tensor], Tensor]
    """Residuals [n, d] to values [n, m]."""
    directions: Tensor
    """[m, d]: what one unit of each adds to a residual."""

    def change(self, own: Tensor, donor: Tensor, chosen: Sequence[int] | None = None) -> Tensor:
        """What is added to residuals [..., d] so that they hold the donor's values: [..., d].

        ``chosen`` are the numbers of the coordinates that are exchanged; None: all.
        """
        risen, directions = self._risen(own, donor), self.directions
        if chosen is not None:
            risen, directions = risen[:, list(chosen)], directions[list(chosen)]
        return (risen @ directions).reshape(own.shape)

    def changes(self, own: Tensor, donor: Tensor) -> list[Tensor]:
        """What each coordinate alone adds; together they are ``change``."""
        return [
            (value[:, None] * direction).reshape(own.shape)
            for value, direction in zip(self._risen(own, donor).T, self.directions, strict=True)
        ]

    def _risen(self, own: Tensor, donor: Tensor) -> Tensor:
        held = [self.read(x.reshape(-1, x.shape[-1])) for x in (own, donor)]
        return held[1] - held[0]


def along(basis: Tensor) -> ExchangedCoordinates:
    """Coordinates along orthonormal directions [m, d].

    >>> axes = along(torch.eye(3))
    >>> axes.change(torch.zeros(1, 3), torch.ones(1, 3), [1])
    tensor([[0., 1., 0.]])
    """
    return ExchangedCoordinates(lambda x: x @ basis.T, basis)


def features_of(autoencoder: SparseAutoencoder, numbers: Sequence[int]) -> ExchangedCoordinates:
    """Features of a sparse autoencoder, with its decoder's directions.

    What the autoencoder does not rebuild stays.
    """
    return ExchangedCoordinates(
        lambda x: autoencoder.read(x, numbers), autoencoder.W_dec.detach()[list(numbers)]
    )


@dataclass(frozen=True, eq=False)
class EventSample:
    """Some events of one site, at the steps of one window; those without such steps are left out.

    Coordinates are found and ranked on one sample, and measured on another.
    """

    reader: EventReader
    site: str
    window: StepWindow
    among: Sequence[int]
    """Numbers of the events."""

    @cached_property
    def rows(self) -> list[int]:
        """Numbers of the events that have such steps."""
        return [row for row in self.among if self._steps(row)]

    @cached_property
    def signs(self) -> Tensor:
        """[rows] 1 where the counterfactual has the event, -1 where it lacks it; on the CPU."""
        return torch.tensor([float(self.reader.events[row].sign) for row in self.rows])

    @property
    def own(self) -> Tensor:
        """Residuals of the pieces [rows, S, d]."""
        return self.reader.own.at[self.site][self.rows]

    @property
    def donor(self) -> Tensor:
        """Those of their counterfactuals."""
        return self.reader.donors["counterfactual"].at[self.site][self.rows]

    @cached_property
    def inside(self) -> Tensor:
        """[rows, S, 1] 1 at the steps of the window, 0 elsewhere."""
        inside = self.own.new_zeros(len(self.rows), self.own.shape[1], 1)
        for number, row in enumerate(self.rows):
            steps = self._steps(row)
            inside[number, steps.start : steps.stop] = 1.0
        return inside

    def odds(self, change: Tensor) -> Tensor:
        """Log-odds [rows] where a change [rows, S, d] is added at the steps of the window."""
        return self.reader.odds_from(self.site, self.own + change * self.inside, self.rows)

    def moved(self, change: Tensor) -> Tensor:
        """Change of the log-odds [rows] towards the counterfactual."""
        return self.signs * (self.odds(change) - self.reader.own.odds[self.rows])

    def residuals(self) -> Tensor:
        """All residuals of the window, of pieces, counterfactuals and controls: [n, d]."""
        reads = (self.reader.own, *self.reader.donors.values())
        return torch.cat([self._of(row, read.at[self.site]) for read in reads for row in self.rows])

    def differences(self) -> Tensor:
        """Counterfactual less piece, mean over each event's steps of the window: [rows, d]."""
        return ((self.donor - self.own) * self.inside).sum(1) / self.inside.sum(1)

    def _steps(self, row: int) -> range:
        return self.window.steps(self.reader.events[row], self.reader.model.frame_rate)

    def _of(self, row: int, x: Tensor) -> Tensor:
        steps = self._steps(row)
        return x[row, steps.start : steps.stop]


def principal_components(sample: EventSample, count: int) -> Tensor:
    """The first principal components of the window's residuals, the largest first: [count, d]."""
    rows = sample.residuals()
    _, _, right = torch.linalg.svd(doubled(rows - rows.mean(0)), full_matrices=False)
    return right[:count].to(rows.dtype).to(rows.device)


def aligned_directions(sample: EventSample, count: int, wanted: Tensor | None = None) -> Tensor:
    """Directions that, exchanged together, move the events as ``wanted`` [rows] says: [count, d].

    ``wanted`` is 1 for events that should appear and -1 for those that should vanish; by default
    what the counterfactuals do. The directions begin as the mean difference towards it and the
    largest principal components of the differences.
    """
    wanted = sample.signs if wanted is None else wanted
    differences = sample.differences()
    _, _, components = torch.linalg.svd(differences, full_matrices=False)
    towards = wanted[:, None].to(differences.device) * differences
    first = F.normalize(towards.mean(0) + 1e-6, dim=0)
    random = torch.Generator().manual_seed(0)
    others = torch.randn(count, differences.shape[1], generator=random).to(differences)
    started = torch.cat([first[None], components, others])[:count].T
    weights = torch.linalg.qr(started).Q.clone().requires_grad_()
    descent = torch.optim.Adam([weights], lr=DAS_RATE)
    for _ in range(DAS_STEPS):
        basis = torch.linalg.qr(weights).Q.T
        odds = sample.odds(along(basis).change(sample.own, sample.donor))
        loss = F.softplus(-wanted.to(odds.device) * odds).mean()
        descent.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        descent.step()
    return torch.linalg.qr(weights.detach()).Q.T


def ranked(coordinates: ExchangedCoordinates, sample: EventSample) -> list[int]:
    """Numbers of the coordinates, those first that move the events most towards what they should.

    What a coordinate does is estimated by gradients on the way from piece to counterfactual
    (integrated gradients, Sundararajan et al. 2017, as Marks et al. 2024 use them for features).
    """
    own, donor, inside = sample.own, sample.donor, sample.inside
    gradient = torch.zeros_like(own)
    for share in _PATH:
        x = (share * (donor - own)).requires_grad_()
        (sample.signs * sample.odds(x)).sum().backward()  # type: ignore[no-untyped-call]
        assert x.grad is not None
        gradient += x.grad / len(_PATH)
    within = inside[..., 0] > 0
    values = coordinates.read(donor[within]) - coordinates.read(own[within])
    effects = doubled(values * (gradient[within] @ coordinates.directions.T)).sum(0)
    return torch.argsort(effects, descending=True, stable=True).tolist()
