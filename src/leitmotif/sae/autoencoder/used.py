"""The autoencoders that params.yaml names, each with the site whose activations it is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from leitmotif.sae.autoencoder.fetch import fetch
from leitmotif.sae.autoencoder.formats import load_sae
from leitmotif.sae.autoencoder.model import SparseAutoencoder
from leitmotif.sae.autoencoder.registry import Hook, load_registry
from leitmotif.sae.autoencoder.trained import Trained, trained_of
from leitmotif.sites import canonical_site

Precision = Literal["float32", "float64"]


@dataclass(frozen=True)
class UsedSae:
    """An autoencoder and the site whose activations it is given."""

    hook: Hook
    sae: SparseAutoencoder
    site: str
    trained: Trained | None
    """What training reached, for those that were trained here."""


def load_used(names: Sequence[str], *, dtype: Precision = "float32") -> list[UsedSae]:
    """Load entries ``NAME`` or ``NAME@SITE`` of hooks.yaml, to compute in ``dtype``.

    Raises ConfigError and ModelError.
    """
    if not names:
        return []
    registry = load_registry()
    used = []
    for text in names:
        name, _, site = text.partition("@")
        hook = registry[name]
        folder = fetch(hook.checkpoint)
        sae = load_sae(folder).to(getattr(torch, dtype))
        used.append(UsedSae(hook, sae, canonical_site(site or hook.site), trained_of(folder)))
    return used
