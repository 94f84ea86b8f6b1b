"""How alike the layers of a model are: Euclidean distances of figure 3, and linear CKA.

Centred kernel alignment (Kornblith et al. 2019, "Similarity of neural network representations
revisited") compares what layers say of the same prompts and not where they lie, so a layer that is
another one turned or scaled is the same. Its plain estimator is biased where there are more
dimensions than prompts: of 100 prompts and 1,024 dimensions two layers of independent noise have a
CKA of 0.9. The debiased one estimates 0 there (Nguyen et al. 2021, "Do wide and deep networks learn
the same things?", by the unbiased HSIC of Song et al. 2012).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leitmotif.errors import ProbeError

Array = NDArray[np.float64]
SAME = 1e-12
"""Spread, as a share of the outputs' norm, below which they are all the same."""
FEWEST = 4
"""Prompts without which the unbiased estimator does not exist."""


def layer_distances(means: ArrayLike) -> Array:
    """Euclidean distances between layers, mean over prompts: [layers, layers].

    Parameters
    ----------
    means : outputs of each layer, mean over time [layers, prompts, d].

    Raises ProbeError for another shape or values that are not finite.
    """
    x = _checked(means, fewest=1)
    apart = np.linalg.norm(x[:, None] - x[None], axis=-1)
    return np.asarray(apart.mean(-1))


def layer_cka(means: ArrayLike, *, debiased: bool = True) -> Array:
    """Linear CKA between layers over prompts: [layers, layers].

    Parameters
    ----------
    means : outputs of each layer, mean over time [layers, prompts, d].
    debiased : whether to use the unbiased HSIC; it can lie a little below 0.

    A layer whose outputs are the same for all prompts has no CKA; its rows are NaN. Raises
    ProbeError for another shape, fewer than four prompts or values that are not finite.
    """
    grams = [_gram(layer, debiased=debiased) for layer in _checked(means, fewest=FEWEST)]
    return np.array([[_cka(a, b) for b in grams] for a in grams])


def _gram(x: Array, *, debiased: bool) -> Array:
    centred = x - x.mean(0)
    if np.linalg.norm(centred) <= SAME * np.linalg.norm(x):
        centred = np.zeros_like(x)  # what rounding leaves of outputs that are all the same
    gram = centred @ centred.T
    if debiased:
        return _u_centred(gram)
    return np.asarray(gram - gram.mean(0) - gram.mean(1)[:, None] + gram.mean())


def _u_centred(gram: Array) -> Array:
    """Székely and Rizzo's U-centring: inner products of such matrices are unbiased."""
    n = len(gram)
    bare = gram - np.diag(np.diag(gram))
    rows = bare.sum(1) / (n - 2)
    centred = bare - rows - rows[:, None] + bare.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0.0)
    return centred


def _cka(a: Array, b: Array) -> float:
    own = (a * a).sum() * (b * b).sum()
    if own <= 0:
        return float("nan")
    return float((a * b).sum() / np.sqrt(own))


def _checked(means: ArrayLike, *, fewest: int) -> Array:
    x = np.asarray(means, np.float64)
    if x.ndim != 3 or x.shape[1] < fewest or 0 in x.shape or not np.isfinite(x).all():
        raise ProbeError(
            "layers cannot be compared",
            found=f"shape {x.shape}" + ("" if np.isfinite(x).all() else ", values not finite"),
            expected=f"[layers, prompts, d], {fewest} prompts or more, finite values",
        )
    return x


def time_averaged(residuals: Sequence[ArrayLike]) -> Array:
    """Mean over steps of each layer's outputs [B, S, d]: [layers, B, d]."""
    return np.stack([np.asarray(layer, np.float64).mean(1) for layer in residuals])
