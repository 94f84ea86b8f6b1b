"""Measured alignment: at which site does an autoencoder reconstruct best?

An autoencoder is fitted to one distribution of activations. Read at a neighbouring site it leaves
more of the variance unexplained, whatever its metadata say. The residual stream before block N is
``layers.{N-1}.residual``, the one after it ``layers.{N}.residual``; the audit reads the declared
site and the stored ones next to it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from leitmotif.claims import is_above_zero
from leitmotif.errors import StoreError
from leitmotif.intervals import (
    Array,
    Interval,
    interval_of,
    sign_flip_p,
    track_weights,
    with_estimate,
)
from leitmotif.sae.autoencoder.alignment import check_sparsity
from leitmotif.sae.autoencoder.encode import workers_beside
from leitmotif.sae.autoencoder.model import SparseAutoencoder
from leitmotif.sites import split_site
from leitmotif.work.parallel import in_processes

CLEARLY = 0.8
"""Of what one leaves unexplained that has learnt nothing, an aligned autoencoder leaves less."""
__all__ = [
    "CLEARLY",
    "AlignmentAudit",
    "Interval",
    "SiteFit",
    "audit_sites",
    "measure",
    "measure_sites",
]


class Tensors(Protocol):
    """What a measurement needs of a store."""

    def load(self, site: str, track_id: str, /) -> NDArray[np.floating]:
        """The tensor [frames, d] of a site and track; raises StoreError."""
        ...


@dataclass
class SiteFit:
    """How well an autoencoder reconstructs one site, track by track."""

    site: str
    tracks: int
    fvu: Interval
    """Fraction of variance unexplained: squared error over squared distance from the mean row."""
    cosine: Interval
    """Mean cosine of a row and its reconstruction."""
    l0: Interval
    dead_fraction: float
    """Share of features that no frame of any track activates."""
    resampled_fvu: Array = field(repr=False)
    """FVU under each resample of the tracks [RESAMPLES + 1], the estimate first."""
    fvu_of_tracks: Array = field(repr=False)
    """What each track adds to the FVU [tracks]; their sum is the FVU."""


@dataclass(frozen=True)
class AlignmentAudit:
    """The verdict on one autoencoder."""

    checkpoint: str
    declared: str
    best: str
    """Site of the smallest FVU."""
    margin: Interval
    """FVU of the best other site less that of the declared one, paired by track."""
    margin_p: float
    """Two-sided p-value of that, from flipping signs of tracks."""
    passed: bool
    """The declared site is best, the margin's interval lies above 0, and that of ``of_chance``
    below ``CLEARLY``, where it was measured."""
    fits: Mapping[str, SiteFit]
    chance: Interval | None = None
    """FVU at the declared site of an autoencoder that has learnt nothing (``chance``)."""
    of_chance: Interval | None = None
    """FVU of this one as a share of that."""


def measure_sites(
    name: str,
    sae: SparseAutoencoder,
    store: Tensors,
    sites: Sequence[str],
    tracks: Sequence[str],
    *,
    seed: int = 0,
) -> dict[str, SiteFit]:
    """Fit of an autoencoder at each of several sites, over the same resamples of the tracks."""
    weights = with_estimate(track_weights(len(tracks), seed=seed))
    return {site: measure(name, sae, store, site, tracks, weights) for site in sites}


def measure_each(
    saes: Mapping[str, tuple[SparseAutoencoder, Sequence[str]]],
    store: Tensors,
    tracks: Sequence[str],
    *,
    seed: int = 0,
) -> Iterator[tuple[str, dict[str, SiteFit]]]:
    """Fit of several autoencoders, by name, each at its sites; see ``measure_sites``."""
    measured = partial(_measured, store, tracks, seed)
    workers = workers_beside(sae for sae, _ in saes.values())
    fits = in_processes(measured, [(k, *v) for k, v in saes.items()], workers=workers)
    return zip(saes, fits, strict=True)


def _measured(
    store: Tensors,
    tracks: Sequence[str],
    seed: int,
    item: tuple[str, SparseAutoencoder, Sequence[str]],
) -> dict[str, SiteFit]:
    name, sae, sites = item
    return measure_sites(name, sae, store, sites, tracks, seed=seed)


def audit_sites(
    name: str, fits: Mapping[str, SiteFit], declared: str, chance: Array | None = None
) -> AlignmentAudit:
    """Whether the declared site is the one that fits best, among those measured.

    With ``chance`` (``leitmotif.sae.audit.chance.chance_fvu``), also whether it fits well.
    """
    best = min(fits, key=lambda site: fits[site].fvu.mean)
    others = [fit for site, fit in fits.items() if site != declared]
    rival = min(others, key=lambda fit: fit.fvu.mean)
    own, tracks = fits[declared].resampled_fvu, rival.tracks
    margin = interval(rival.resampled_fvu - own, tracks)
    p = sign_flip_p(rival.fvu_of_tracks - fits[declared].fvu_of_tracks)
    passed = best == declared and is_above_zero(margin)
    if chance is None:
        return AlignmentAudit(name, declared, best, margin, p, passed, fits)
    of_chance = interval(own / chance, tracks)
    passed = passed and of_chance.high < CLEARLY
    return AlignmentAudit(
        name, declared, best, margin, p, passed, fits, interval(chance, tracks), of_chance
    )


def neighbours(stored: Sequence[str], declared: str, *, reach: int) -> list[str]:
    """The declared site and the next ``reach`` stored ones of its kind before and after it.

    Layers that are not stored are passed over. Raises StoreError without a neighbour.
    """
    _, kind = split_site(declared)
    alike = sorted((site for site in stored if split_site(site)[1] == kind), key=split_site)
    near: list[str] = []
    if declared in alike:
        at = alike.index(declared)
        near = alike[max(0, at - reach) : at + reach + 1]
    if len(near) < 2:
        layer, _ = split_site(declared)
        raise StoreError(
            f"the alignment at {declared} cannot be measured",
            found=f"stored of its kind: {', '.join(alike) or 'nothing'}",
            expected="the declared site and at least one neighbour",
            fix=f"add layers.{max(layer - 1, 0)}.{kind} and layers.{layer + 1}.{kind} to "
            "activations.sites and run `dvc repro activations`",
        )
    return near


def measure(
    name: str,
    sae: SparseAutoencoder,
    store: Tensors,
    site: str,
    tracks: Sequence[str],
    weights: Array | None = None,
) -> SiteFit:
    """Reconstruct a site's tracks, one in memory at a time.

    ``weights`` [RESAMPLES + 1, tracks] says how often each resample draws each track, the first
    row once each. Raises StoreError and ModelError.
    """
    if weights is None:
        weights = with_estimate(track_weights(len(tracks)))
    d = sae.config.d_in
    sums, norms = np.zeros((len(tracks), d)), np.zeros(len(tracks))
    rows, errors, cosines, active = (np.zeros(len(tracks)) for _ in range(4))
    fired = torch.zeros(sae.config.d_sae, dtype=torch.bool, device=sae.W_enc.device)
    for i, track_id in enumerate(tracks):
        x = torch.from_numpy(store.load(site, track_id)).to(fired.device, sae.W_enc.dtype)
        rebuilt, codes = sae.reconstruct(x)
        check_sparsity(name, sae.config, int(codes.l0.max()))
        fired[codes.indices] = True
        wide = x.cpu().double()
        rows[i], active[i] = len(x), len(codes.values)
        sums[i], norms[i] = wide.sum(0).cpu().numpy(), float(wide.square().sum())
        errors[i] = float((wide - rebuilt.cpu().double()).square().sum())
        cosines[i] = float(F.cosine_similarity(x, rebuilt, dim=1).cpu().double().sum())
    mean = sums.sum(0) / rows.sum()
    spread = norms - 2 * sums @ mean + rows * (mean @ mean)
    fvu = ratios(weights, errors, spread)
    return SiteFit(
        site=site,
        tracks=len(tracks),
        fvu=interval(fvu, len(tracks)),
        cosine=interval(ratios(weights, cosines, rows), len(tracks)),
        l0=interval(ratios(weights, active, rows), len(tracks)),
        dead_fraction=1 - float(fired.cpu().double().mean()),
        resampled_fvu=fvu,
        fvu_of_tracks=errors / spread.sum(),
    )


def ratios(weights: Array, above: Array, below: Array) -> Array:
    """Ratio of two sums over tracks [tracks], in every resample: [RESAMPLES + 1]."""
    return (weights @ above) / (weights @ below)


def interval(values: Array, tracks: int) -> Interval:
    """Of an estimate, first, and its resamples of ``tracks`` tracks."""
    return interval_of(float(values[0]), values[1:], tracks=tracks)
