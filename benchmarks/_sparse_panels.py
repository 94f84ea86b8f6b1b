"""Panels at the size of published autoencoders: sparse features, a few of which are planted.

A feature is where a slow latent exceeds a threshold, as a top-k autoencoder gives it: most are
active in a few per cent of the rows, and more in some tracks than in others. The latents share
factors, so features depend on each other, and follow the controls. The target is linear in the
controls, and its own part goes into the planted features' latents alone.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from benchmarks._null_panels import CONTROLS, LENGTH, Array, ar
from leitmotif.claims import Horizon
from leitmotif.probe.features.encoded import EncodedRows
from leitmotif.probe.inputs.controls import ControlTable
from leitmotif.probe.inputs.rows import Rows, Sample
from leitmotif.timing.frames import Timing

WIDTH = 32_768
"""Features of a published autoencoder of MusicGen small."""
_MADE = 1024
_FACTORS = 16
HORIZON = Horizon("5-15s", 5, 15)


@dataclass(frozen=True)
class SparsePanel:
    """Features of several autoencoders on the rows of one experiment."""

    encoded: list[EncodedRows]
    sample: Sample
    planted: set[tuple[str, int]]
    """Site and number of each planted feature."""


def sparse_panel(
    features: int, *, tracks: int, planted: int, strength: float, seed: int
) -> SparsePanel:
    """Draw a panel; each planted latent shares ``strength`` of its spread with the target.

    Planted features are spread evenly over all autoencoders, which have ``WIDTH`` features each,
    but the last, which has the rest.
    """
    random = np.random.default_rng(seed)
    Z, own = ar(random, tracks, CONTROLS, 0.95), ar(random, tracks, 1, 0.9)
    factors = ar(random, tracks, _FACTORS, 0.9)
    target = (Z.sum(axis=-1, keepdims=True) / 2 + own).reshape(-1)
    groups = np.repeat(np.arange(tracks), LENGTH)
    table = ControlTable(
        Z.reshape(-1, CONTROLS), [f"local_energy.{i}" for i in range(CONTROLS)], []
    )
    rows = Rows([], groups.astype(str), target[:, np.newaxis], table, Timing(50, 0.074))
    numbers = np.linspace(0, features - 1, planted).astype(int) if planted else np.empty(0, int)
    encoded, chosen = [], set()
    for site, first in enumerate(range(0, features, WIDTH)):
        width = min(WIDTH, features - first)
        at = numbers[(numbers >= first) & (numbers < first + width)] - first
        values = _features(random, width, at, strength, Z, own, factors)
        name = f"layers.{site}.residual"
        encoded.append(EncodedRows(f"made-{site}", name, values, groups, ""))
        chosen |= {(name, int(number)) for number in at}
    return SparsePanel(encoded, rows.sample([HORIZON], 0), chosen)


def _features(
    random: np.random.Generator,
    width: int,
    planted: Array,
    strength: float,
    Z: Array,
    own: Array,
    factors: Array,
) -> sparse.csr_array:
    """[rows, width], some columns made at a time."""
    tracks, parts = len(Z), []
    for first in range(0, width, _MADE):
        d = min(_MADE, width - first)
        latent = 0.7 * ar(random, tracks, d, 0.7) + 0.4 * random.normal(size=(tracks, 1, d))
        latent += factors @ (0.4 * random.normal(size=(_FACTORS, d)) / np.sqrt(_FACTORS))
        latent += Z @ (0.4 * random.normal(size=(CONTROLS, d)) / np.sqrt(CONTROLS))
        latent /= latent.std(axis=(0, 1))
        linked = planted[(planted >= first) & (planted < first + d)] - first
        latent[..., linked] = (
            np.sqrt(1 - strength**2) * latent[..., linked] + strength * own / own.std()
        )
        rate = 10 ** random.uniform(-2, -1, size=d)
        rate[linked] = 0.15
        threshold = np.array([np.quantile(latent[..., i], 1 - rate[i]) for i in range(d)])
        parts.append(sparse.csc_array(np.maximum(0, latent - threshold).reshape(-1, d)))
    return sparse.csr_array(sparse.hstack(parts))
