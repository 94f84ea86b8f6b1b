"""Measures computed from a judge's logits: NDCG, log-odds effect, KL divergence.

Logits are [clips, labels], from a tagger or from CLAP over a set of sentences. Every measure
returns one value per clip, [clips]; callers compute means, intervals and pairings. NDCG follows
Järvelin and Kekäläinen (2002). The other two follow Vélez Vásquez et al., Exploring the inner
mechanisms of large generative music models, ISMIR 2024, sections 3.2.3 and 4.2.1. They use a
softmax over all labels, although the tagger's labels are not exclusive.
"""

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, logsumexp

from leitmotif.errors import ModelError

Values = NDArray[np.float64]

_LARGEST = 1e100
"""Largest logit: exponents and squares of differences of larger ones are not finite."""


def ndcg(logits: ArrayLike, relevant: Collection[int]) -> Values:
    """Normalised discounted cumulative gain of each clip's ranking of labels: [clips] in (0, 1].

    A relevant label at rank r gains 1 / log2(r + 1); the highest logit has rank 1. The sum of gains
    is divided by its maximum, which it has if all relevant labels come first. Equal logits share
    the mean of the gains of their ranks (McSherry and Najork, 2008). A random ranking is well above
    0; see ``ndcg_of_chance``.

    Parameters
    ----------
    logits
        [clips, labels].
    relevant
        Columns of the relevant labels.
    """
    scores = _logits(logits)
    wanted = _columns(relevant, scores.shape[1])
    discounts = _discounts(scores.shape[1])
    gains = [_mean_over_ties(row, discounts)[wanted].sum() for row in scores]
    return np.array(gains) / discounts[: len(wanted)].sum()


def ndcg_of_chance(labels: int, relevant: int) -> float:
    """Expected NDCG of ``relevant`` labels among ``labels`` in a random order.

    Raises ModelError unless there are 1 to ``labels`` relevant ones.
    """
    if not (_whole(labels) and _whole(relevant) and 1 <= relevant <= labels):
        raise ModelError(
            "no ranking has so many relevant labels",
            found=f"{relevant!r} of {labels!r}",
            expected="whole numbers, 1 to all labels",
        )
    discounts = _discounts(labels)
    return float(relevant * discounts.mean() / discounts[:relevant].sum())


def log_odds(logits: ArrayLike, label: int) -> Values:
    """Log-odds of one label in nats under a softmax over all labels: log p - log(1 - p), [clips].

    Parameters
    ----------
    logits
        [clips, labels].
    label
        Column of the label.
    """
    scores = _logits(logits)
    (column,) = _columns([label], scores.shape[1])
    others = np.delete(scores, column, axis=1)
    return np.asarray(scores[:, column] - logsumexp(others, axis=1))


def log_odds_effect(before: ArrayLike, after: ArrayLike, *, original: int, desired: int) -> Values:
    """Equation 1 of the paper: shift of the log-odds from ``original`` to ``desired`` in nats,
    [clips].

    Parameters
    ----------
    before, after
        Logits [clips, labels] of the same clips without and with the intervention.
    original, desired
        Columns of the two labels.
    """
    first, second = _paired(before, after)
    lost = log_odds(first, original) - log_odds(second, original)
    won = log_odds(second, desired) - log_odds(first, desired)
    return lost + won


def kl_divergence(before: ArrayLike, after: ArrayLike) -> Values:
    """KL(before || after) in nats between the softmax distributions of each clip: [clips].

    The paper does not say which distribution comes first; here ``before`` does. The paper's
    precision is the negative of this value.

    Parameters
    ----------
    before, after
        Logits [clips, labels] of the same clips without and with the intervention.
    """
    first, second = (log_softmax(scores, axis=1) for scores in _paired(before, after))
    return np.asarray((np.exp(first) * (first - second)).sum(1))


def swapped(logits: ArrayLike, original: int, desired: int) -> Values:
    """Logits [clips, labels] with the values of two labels exchanged and all others unchanged.

    This is the paper's ideal intervention. Its divergence from the unchanged logits is the cost of
    a perfect intervention.
    """
    scores = _logits(logits)
    columns = _columns([original, desired], scores.shape[1])
    out = scores.copy()
    out[:, columns] = scores[:, columns[::-1]]
    return out


def _logits(logits: ArrayLike) -> Values:
    try:
        given = np.asarray(logits)
        if given.dtype.kind not in "fiubO":
            raise TypeError(f"type {given.dtype}")
        scores = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ModelError("these are no logits", found=error, expected="[clips, labels]") from error
    if scores.ndim != 2 or 0 in scores.shape or scores.shape[1] < 2:
        raise ModelError(
            "these are no logits", found=f"shape {scores.shape}", expected="[clips, labels >= 2]"
        )
    if isinstance(logits, np.ma.MaskedArray) or not (np.abs(scores) <= _LARGEST).all():
        raise ModelError(
            "logits must be finite",
            found="NaN, infinity, a masked entry or a number whose square is infinite",
            fix="leave the clip out",
        )
    return scores


def _paired(before: ArrayLike, after: ArrayLike) -> tuple[Values, Values]:
    first, second = _logits(before), _logits(after)
    if first.shape != second.shape:
        raise ModelError(
            "logits before and after must be of the same clips and labels",
            found=f"shapes {first.shape} and {second.shape}",
            expected="equal shapes",
        )
    return first, second


def _columns(labels: Collection[int], count: int) -> list[int]:
    columns = list(labels) if isinstance(labels, Iterable) else [labels]
    if (
        not columns
        or not all(_whole(column) and 0 <= column < count for column in columns)
        or len(set(columns)) < len(columns)
    ):
        raise ModelError(
            "these are no columns of the logits",
            found=f"{columns}",
            expected=f"distinct numbers from 0 to {count - 1}, at least one",
        )
    return columns


def _whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _discounts(count: int) -> Values:
    return 1 / np.log2(np.arange(2, count + 2))


def _mean_over_ties(scores: NDArray[Any], discounts: Values) -> Values:
    """Gain of each label by its rank; equal scores share the mean of their gains."""
    _, group = np.unique(-scores, return_inverse=True)  # groups in the order of the ranks
    sizes = np.bincount(group)
    sums = np.bincount(np.repeat(np.arange(len(sizes)), sizes), weights=discounts)
    return np.asarray((sums / sizes)[group])
