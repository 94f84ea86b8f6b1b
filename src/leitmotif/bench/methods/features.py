"""One feature of a site at a time, found on some pieces: what of a residual is exchanged."""

import torch
from torch import Tensor

from leitmotif.causal.interchange.coordinates import (
    EventSample,
    ExchangedCoordinates,
    aligned_directions,
    along,
    features_of,
    principal_components,
)
from leitmotif.precision import doubled
from leitmotif.sae.autoencoder.trained import Training
from leitmotif.sae.training.held import trained_on

COMPONENTS = 32
"""Principal components of which one is chosen."""
SAE = Training(d_sae=512, k=8, steps=150, batch=1024, warm_up=20)


def principal_component(sample: EventSample) -> ExchangedCoordinates:
    """The principal component of the far residuals that tells the decision best."""
    components = principal_components(sample, COMPONENTS)
    best = _best(doubled(sample.differences()) @ doubled(components).T, sample.signs)
    return along(components[best : best + 1])


def sparse_feature(sample: EventSample) -> ExchangedCoordinates:
    """The feature that tells the decision best, of an autoencoder trained on the far residuals."""
    autoencoder = trained_on(sample.residuals(), SAE)
    every = features_of(autoencoder, range(SAE.d_sae))
    inside = sample.inside[..., 0] > 0
    risen = every.read(sample.donor[inside]) - every.read(sample.own[inside])
    of_piece = torch.split_with_sizes(risen, inside.sum(1).tolist())
    changes = torch.stack([part.mean(0) for part in of_piece])
    return features_of(autoencoder, [_best(changes, sample.signs)])


def aligned_direction(sample: EventSample, wanted: Tensor | None = None) -> ExchangedCoordinates:
    """The direction whose exchange moves the events as ``wanted`` [rows] says."""
    return along(aligned_directions(sample, 1, wanted))


def _best(changes: Tensor, signs: Tensor) -> int:
    """Which of [rows, features] goes with the signs [rows] most surely."""
    signed = changes * signs[:, None].to(changes.dtype).to(changes.device)
    return int((signed.mean(0).abs() / (signed.std(0) + 1e-6)).argmax())
