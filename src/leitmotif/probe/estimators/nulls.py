"""Nulls: whole tracks exchanged within a fold, and circular shifts within a track.

An exchange gives each track's features the target of another track of its fold, place by place.
All that two tracks can yield together is the products of one's features with the other's target, so
these are computed once, and each exchange only sums other ones of them.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.fft import irfft, rfft

from leitmotif.errors import ProbeError
from leitmotif.probe.panel.arguments import whole_number
from leitmotif.probe.panel.panel import Array

Exchanges = list[NDArray[np.int64]]
"""For each fold [permutations, tracks of the fold]: whose target each track's features meet."""


def exchanges(sizes: Sequence[int], permutations: int, *, seed: int) -> Exchanges:
    """Draw exchanges of the tracks within folds of these sizes, all independent and uniform.

    The first is no exchange at all, so that the observed statistic comes out of the same sums.
    Raises ProbeError for a negative number of them.
    """
    whole_number(permutations, "permutations")
    random = np.random.default_rng(seed)
    drawn = []
    for size in sizes:
        order = np.tile(np.arange(size), (permutations + 1, 1))
        order[1:] = random.permuted(order[1:], axis=1)
        drawn.append(order)
    return drawn


def pair_products(features: Sequence[Array], targets: Sequence[Array]) -> Array:
    """Products of every track's features [T, d] with every track's target [T, H]: [n, n, d, H].

    Rows are matched by their place in the track; those that one of two tracks lacks are left out.
    """
    n, d, H = len(features), features[0].shape[1], targets[0].shape[1]
    longest = max(map(len, targets))
    beside = np.zeros((longest, n, H))
    for number, values in enumerate(targets):
        beside[: len(values), number] = values
    flat = beside.reshape(longest, n * H)
    products = np.empty((n, n, d, H))
    for number, X in enumerate(features):
        shared = min(len(X), longest)
        product = X[:shared].T @ flat[:shared]
        products[number] = product.reshape(d, n, H).transpose(1, 0, 2)
    return products


def exchanged(products: Array, order: NDArray[np.int64]) -> Array:
    """Sum the products [n, n, ...] of each exchange [permutations, n]: [permutations, ...]."""
    n = len(products)
    count = len(order)
    cells = (np.arange(n) * n + order).ravel()
    picks = sparse.csr_array(
        (np.ones(count * n), cells, np.arange(0, count * n + 1, n)), shape=(count, n * n)
    )
    flat = products.reshape(n * n, -1)
    return np.asarray(picks @ flat).reshape(count, *products.shape[2:])


def shift_products(features: Array, target: Array) -> Array:
    """Products of one track's features, shifted circularly, with its target: [T, d, H].

    ``features`` [T, d], ``target`` [T, H]; entry s is the sum over t of features(t - s) target(t),
    by the cross-correlation theorem in O(T log T).
    """
    T = len(features)
    spectrum = np.conj(rfft(features, axis=0))[:, :, np.newaxis]
    return np.asarray(irfft(spectrum * rfft(target, axis=0)[:, np.newaxis], n=T, axis=0))


def shifted(
    features: Sequence[Array], targets: Sequence[Array], *, shifts: int, seed: int
) -> Iterator[Array]:
    """Yield, track by track, its products under each of the random shifts: [shifts + 1, d, H].

    A track's shifts are uniform over all of its rows, so that with the first one, which is none,
    they are draws from a group; each track is shifted by itself.
    """
    random = np.random.default_rng(seed)
    for X, Y in zip(features, targets, strict=True):
        lags = random.integers(len(X), size=shifts + 1)
        lags[0] = 0
        yield shift_products(X, Y)[lags]


def studentised(total: Array, squares: Array, n: int) -> Array:
    """Student's t of n scores from their sum and their sum of squares; 0 where all are 0."""
    variance = (squares - total**2 / n) / (n - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = total / np.sqrt(n * np.maximum(variance, 0))
    return np.asarray(np.nan_to_num(t, nan=0.0, posinf=np.finfo(float).max))


def reached(t: Array, observed: Array) -> NDArray[np.bool_]:
    """Whether statistics are as large as the observed ones; sums in another order are ties."""
    return np.asarray(t >= observed * (1 - 1e-9))


def p_value(null: Array, observed: Array) -> Array:
    """Share of the null's statistics [permutations, ...] as large as the observed [...].

    (1 + hits) / (1 + permutations): the observed arrangement is one of them, so that p is never 0
    and the test is exact (Phipson & Smyth 2010). Raises ProbeError for NaN, which would count as
    smaller than anything, and for statistics of other shapes.
    """
    if np.shape(null)[1:] != np.shape(observed) or np.isnan(null).any() or np.isnan(observed).any():
        raise ProbeError(
            "no p-value of these statistics",
            found=f"shapes {np.shape(null)} and {np.shape(observed)}, "
            f"{int(np.isnan(null).sum() + np.isnan(observed).sum())} NaN",
            expected="[permutations, ...] and [...], without NaN",
        )
    # Sums in another order differ in their last digits; those are ties.
    reached = null >= observed - 1e-9 * np.abs(observed)
    return np.asarray((1 + reached.sum(axis=0)) / (1 + len(null)))
