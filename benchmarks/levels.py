"""Error rates where they are used at size, by the code that the pipeline runs.

    python -m benchmarks.levels

*Exchanges until decided*: p-values of features without a link to the target, on panels like those
of benchmarks/scale.py, tested as the stage probes tests them. Features of a panel depend on each
other, so intervals are over panels (Student's t).

*Chance of an autoencoder*: what one of the published shape (1024 x 32,768, k 100) leaves
unexplained that has learnt nothing, on made activations with spectra 1 / n^power. The audit asks
whether an autoencoder leaves less than 0.8 of that.
"""

import argparse
import sys
from dataclasses import replace
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student
from threadpoolctl import threadpool_limits

from benchmarks._report import RESULTS, machine
from benchmarks._sparse_panels import sparse_panel
from benchmarks.scale import CLAIMS, PROBING, searched
from leitmotif.files import write_json
from leitmotif.sae.audit.chance import chance_fvu
from leitmotif.sae.audit.measured import CLEARLY
from leitmotif.sae.autoencoder.model import SaeConfig, SparseAutoencoder
from leitmotif.work.progress import progress

LEVELS = (0.05, 0.01, 0.001, 0.0001)
PANELS = ((40, 256, 32), (100, 256, 32), (100, 10_240, 8), (100, 163_840, 1))
"""Tracks, features, and how many panels."""
WIDTH, FEATURES, K = 1024, 32_768, 100
POWERS = (0.0, 0.5, 1.0, 1.5)
ROWS, TRACKS, DRAWN = 150, 3, 3


class Rate(TypedDict):
    """Share of p-values at or below a level, with its 95 % interval over panels; null: of one."""

    level: float
    mean: float
    low: float | None
    high: float | None


class Level(TypedDict):
    """Null features of some panels."""

    tracks: int
    features: int
    panels: int
    rates: list[Rate]
    chosen_in: int
    """Panels in which at least one feature was chosen, each of which is a false discovery."""


class Chance(TypedDict):
    """An autoencoder that has learnt nothing."""

    power: float
    chance: float
    bound: float
    """Of FVU, below which an autoencoder passes there."""
    others: list[float]
    """That of others that have learnt nothing over ``chance``: all of these must fail."""


def level(tracks: int, features: int, panels: int) -> Level:
    """Test the features of panels in which none is linked."""
    shares, chosen_in = [], 0
    for seed in progress(range(panels), f"{features} features", total=panels):
        made = sparse_panel(features, tracks=tracks, planted=0, strength=0.0, seed=500 + seed)
        ranked = searched(made, replace(PROBING, shifts=0, seeds=1))
        p = np.array([feature.p for feature in ranked])
        shares.append([float((p <= at).mean()) for at in LEVELS])
        chosen_in += any(CLAIMS.is_chosen(feature.q) for feature in ranked)
    rates = [
        _rate(at, np.array(of)) for at, of in zip(LEVELS, zip(*shares, strict=True), strict=True)
    ]
    return Level(tracks=tracks, features=features, panels=panels, rates=rates, chosen_in=chosen_in)


def _rate(at: float, shares: NDArray[np.float64]) -> Rate:
    mean, n = float(shares.mean()), len(shares)
    if n == 1:
        return Rate(level=at, mean=round(mean, 6), low=None, high=None)
    reach = float(student.ppf(0.975, n - 1) * shares.std(ddof=1) / np.sqrt(n))
    low, high = max(0.0, mean - reach), mean + reach
    return Rate(level=at, mean=round(mean, 6), low=round(low, 6), high=round(high, 6))


class Made:
    """Activations [rows, width] with a spectrum, as an audit reads them."""

    def __init__(self, power: float) -> None:
        spread = np.arange(1, WIDTH + 1) ** (-power / 2)
        self.spread = spread / np.sqrt((spread**2).mean())
        self.turn = np.linalg.qr(np.random.default_rng(0).normal(size=(WIDTH, WIDTH)))[0]

    def load(self, site: str, track_id: str, /) -> NDArray[np.float32]:
        """One track; the same for every site."""
        own = np.random.default_rng(int(track_id)).normal(size=(ROWS, WIDTH)) * self.spread
        return (own @ self.turn.T).astype(np.float32)


def random_autoencoder(seed: int) -> SparseAutoencoder:
    """Of the published shape: rows of norm 1, which encoder and decoder share."""
    random = torch.Generator().manual_seed(seed)
    sae = SparseAutoencoder(SaeConfig(d_in=WIDTH, d_sae=FEATURES, activation="topk", k=K))
    sae.requires_grad_(False)
    sae.W_dec.copy_(torch.randn(FEATURES, WIDTH, generator=random))
    sae.W_dec.div_(sae.W_dec.norm(dim=1, keepdim=True))
    sae.W_enc.copy_(sae.W_dec.T)
    return sae


def chance(power: float) -> Chance:
    """What is left unexplained by chance, and by other autoencoders that have learnt nothing."""
    store, tracks, weights = Made(power), [str(n) for n in range(TRACKS)], np.ones((1, TRACKS))
    sae = random_autoencoder(seed=0)
    found = [
        float(chance_fvu(sae, store, "", tracks, weights, seed=seed)[0]) for seed in range(DRAWN)
    ]
    first, *others = found
    return Chance(
        power=power,
        chance=round(first, 4),
        bound=round(CLEARLY * first, 4),
        others=[round(value / first, 4) for value in others],
    )


def main() -> int:
    """Measure, print the tables and write benchmarks/results/levels.json."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with threadpool_limits(1):
        chances = [chance(power) for power in POWERS]
        levels = [level(*panels) for panels in PANELS]
    write_json(RESULTS / "levels.json", {"machine": machine(), "levels": levels, "chance": chances})
    table = Table("tracks", "features", "panels", *map(str, LEVELS), "chosen in", title="levels")
    for row in levels:
        means = (f"{rate['mean']:.5f}" for rate in row["rates"])
        table.add_row(
            str(row["tracks"]), str(row["features"]), str(row["panels"]), *means,
            str(row["chosen_in"]),
        )  # fmt: skip
    Console(width=120).print(table)
    table = Table("power", "chance", "bound", "others / chance", title="chance")
    for made in chances:
        table.add_row(*(str(value) for value in made.values()))
    Console(width=120).print(table)
    return 1 if any(value < CLEARLY for made in chances for value in made["others"]) else 0


if __name__ == "__main__":
    sys.exit(main())
