"""The autoencoders that params.yaml names, each with the site whose activations it is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from leitmotif.errors import ConfigError
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


def load_used(
    names: Sequence[str],
    *,
    dtype: Precision = "float32",
    device: str = "cpu",
    several_a_site: bool = False,
) -> list[UsedSae]:
    """Load entries ``NAME`` or ``NAME@SITE`` of hooks.yaml, to compute in ``dtype`` on ``device``.

    Where a model is changed along an autoencoder's features, both have to be on one device.
    Features that are intervened on together have one decoder, so two at one site are refused,
    unless ``several_a_site``: audits may compare them. Raises ConfigError and ModelError.
    """
    if not names:
        return []
    registry = load_registry()
    used: list[UsedSae] = []
    for text in names:
        name, _, site = text.partition("@")
        hook = registry[name]
        if not several_a_site:
            _refuse_second(text, canonical_site(site or hook.site), used)
        folder = fetch(hook.checkpoint)
        sae = load_sae(folder, device=device).to(getattr(torch, dtype))
        used.append(UsedSae(hook, sae, canonical_site(site or hook.site), trained_of(folder)))
    return used


def _refuse_second(text: str, site: str, used: Sequence[UsedSae]) -> None:
    first = next((other.hook.name for other in used if other.site == site), None)
    if first is not None:
        raise ConfigError(
            f"two autoencoders are given the activations of {site}",
            found=f"{first} and {text}",
            expected="one a site (sae.hooks)",
            fix="leave one of them out; `dvc repro sae` audits both, and to probe them run an "
            "experiment with each",
        )
