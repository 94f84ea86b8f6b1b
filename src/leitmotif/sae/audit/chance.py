"""How well would an autoencoder reconstruct a site that has learnt nothing of it?

The best of several sites may still be a bad one: a random autoencoder has its best site, too. So
the reconstruction is compared with those of two autoencoders of the same sizes, norms and sparsity:
one whose directions are random, encoder and decoder alike; and the autoencoder itself with the rows
of its decoder permuted, so that each feature writes what another one read. Either may be scaled by
one number, the one that serves it best, so that neither fails for its scale alone.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from leitmotif.intervals import Array
from leitmotif.sae.audit.measured import Tensors
from leitmotif.sae.autoencoder.model import SparseAutoencoder


def chance_fvu(
    sae: SparseAutoencoder,
    store: Tensors,
    site: str,
    tracks: Sequence[str],
    weights: Array,
    *,
    seed: int,
) -> Array:
    """The smaller FVU of a random and a permuted autoencoder, in each resample: [RESAMPLES + 1].

    ``weights`` [RESAMPLES + 1, tracks] are those of ``measure``. Raises StoreError and ModelError.
    """
    controls = (random_like(sae, seed=seed), permuted(sae, seed=seed))
    fvus = [_scaled_fvu(control, store, site, tracks, weights) for control in controls]
    return min(fvus, key=lambda fvu: float(fvu[0]))


def random_like(sae: SparseAutoencoder, *, seed: int) -> SparseAutoencoder:
    """An autoencoder with random directions, which its encoder and decoder share."""
    random = torch.Generator().manual_seed(seed)
    drawn = torch.randn(sae.W_dec.shape, generator=random, dtype=torch.float64)
    directions = F.normalize(drawn, dim=1).to(sae.W_dec)
    other = _copied(sae)
    other.W_dec = torch.nn.Parameter(directions * sae.W_dec.norm(dim=1, keepdim=True))
    other.W_enc = torch.nn.Parameter(directions.T * sae.W_enc.norm(dim=0))
    return other.requires_grad_(False)


def permuted(sae: SparseAutoencoder, *, seed: int) -> SparseAutoencoder:
    """The autoencoder with the rows of its decoder permuted."""
    random = torch.Generator().manual_seed(seed)
    order = torch.randperm(sae.config.d_sae, generator=random).to(sae.W_dec.device)
    other = _copied(sae)
    other.W_dec = torch.nn.Parameter(sae.W_dec[order])
    return other.requires_grad_(False)


def _copied(sae: SparseAutoencoder) -> SparseAutoencoder:
    """One that shares its weights, each of which can be given another."""
    with torch.device("meta"):
        other = SparseAutoencoder(sae.config)
    for name, parameter in sae.named_parameters():
        setattr(other, name, parameter)
    return other


def _scaled_fvu(
    sae: SparseAutoencoder, store: Tensors, site: str, tracks: Sequence[str], weights: Array
) -> Array:
    """FVU of the reconstructions times the one number that serves best: [RESAMPLES + 1]."""
    d, n = sae.config.d_in, len(tracks)
    sums, norms = np.zeros((2, n, d)), np.zeros((3, n))
    rows = np.zeros(n)
    for i, track_id in enumerate(tracks):
        x = torch.from_numpy(store.load(site, track_id)).to(sae.W_enc.device, sae.W_enc.dtype)
        rebuilt, _ = sae.reconstruct(x)
        wide, made = x.cpu().double(), rebuilt.cpu().double()
        rows[i] = len(x)
        sums[0, i], sums[1, i] = wide.sum(0).numpy(), made.sum(0).numpy()
        norms[:, i] = [float((a * b).sum()) for a, b in ((wide, wide), (made, made), (wide, made))]
    mean = sums.sum(axis=1) / rows.sum()

    def about_the_mean(products: Array, first: int, second: int) -> Array:
        cross = sums[first] @ mean[second] + sums[second] @ mean[first]
        return products - cross + rows * (mean[first] @ mean[second])

    spread, made_spread = (about_the_mean(norms[k], k, k) for k in (0, 1))
    shared = np.maximum(weights @ about_the_mean(norms[2], 0, 1), 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        explained = shared**2 / ((weights @ spread) * (weights @ made_spread))
    return np.asarray(1 - np.nan_to_num(explained, nan=0.0, posinf=0.0))
