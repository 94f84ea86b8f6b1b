"""Features that are tested one by one, some at a time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leitmotif.probe.panel.panel import Array, constant_columns


@dataclass(frozen=True)
class FeatureBlock:
    """Some features of one site on the rows of an experiment."""

    site: str
    hook: str | None
    """Entry of hooks.yaml; None for coordinates of the residual stream itself."""
    numbers: NDArray[np.int64]
    """[d], which features they are."""
    values: Array
    """[rows, d]"""
    misaligned: str = ""
    """What does not match between the autoencoder and the activations."""
    active: NDArray[np.int64] | None = None
    """[d], in how many tracks each is active on the rows that are tested; None for coordinates."""


def raw_block(site: str, features: Array) -> FeatureBlock:
    """Coordinates of a site that vary; ``features`` [rows, width]."""
    kept = np.setdiff1d(np.arange(features.shape[1]), constant_columns(features))
    return FeatureBlock(site, None, kept, features[:, kept])
