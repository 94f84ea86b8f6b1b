"""Cosines of decoder vectors, within a site and between sites: features that write nearly the
same."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from leitmotif.precision import doubled
from leitmotif.report.features.chosen import Ref
from leitmotif.sae.autoencoder.used import UsedSae


@dataclass(frozen=True)
class Neighbour:
    """A feature whose decoder vector points in nearly the same direction."""

    ref: Ref
    site: str
    cosine: float


@dataclass(frozen=True)
class Vectors:
    """Comparison of a feature's encoder and decoder vectors."""

    own_site: Sequence[Neighbour]
    """Nearest features of the same autoencoder, descending."""
    other_sites: Sequence[Neighbour]
    """Nearest feature of each other autoencoder of the same width, in the registry's order."""
    opposite: Neighbour
    """Feature of the same autoencoder with the smallest cosine."""
    encoder_decoder: float
    """Cosine of its encoder and decoder vectors; 1 if it reads what it writes."""
    norm: float
    """Norm of its decoder vector."""


@torch.no_grad()
def vectors(used: Sequence[UsedSae], hook: str, feature: int, *, nearest: int) -> Vectors:
    """Compare a feature's decoder vector with all others; ties are ordered by number.

    The residual stream has the same coordinates after every block, so directions of different sites
    can be compared.
    """
    own = next(used_sae for used_sae in used if used_sae.hook.name == hook)
    direction = own.sae.W_dec[feature]
    cosines = _cosines(own.sae.W_dec, direction)
    cosines[feature] = -2.0
    neighbours = _top(own, cosines, nearest)
    cosines[feature] = 2.0
    others = [
        _top(other, _cosines(other.sae.W_dec, direction), 1)[0]
        for other in used
        if other is not own and other.sae.config.d_in == own.sae.config.d_in
    ]
    return Vectors(
        own_site=neighbours,
        other_sites=others,
        opposite=_at(own, cosines, int(cosines.argmin())),
        encoder_decoder=float(_cosines(own.sae.W_enc[:, feature][None], direction)[0]),
        norm=float(doubled(direction).norm()),
    )


def _cosines(rows: Tensor, direction: Tensor) -> Tensor:
    """[F, d], [d] -> [F], in float64 so that ties do not depend on the order of summation."""
    return F.cosine_similarity(doubled(rows), doubled(direction)[None], dim=1)


def _top(used_sae: UsedSae, cosines: Tensor, count: int) -> list[Neighbour]:
    order = torch.sort(cosines, descending=True, stable=True).indices[:count].tolist()
    return [_at(used_sae, cosines, number) for number in order]


def _at(used_sae: UsedSae, cosines: Tensor, number: int) -> Neighbour:
    return Neighbour(Ref(used_sae.hook.name, number), used_sae.site, float(cosines[number]))
