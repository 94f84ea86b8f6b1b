"""Exchanges of tracks until every feature is decided: few for most of them, many where it matters.

The p-value is that of Besag & Clifford (1991): exchanges are drawn until ``REACHED`` of them give
a statistic as large as the observed one; if the t-th was the last, p = REACHED / t. It is valid:
without a link, P(p <= u) <= u. While only k have reached it after t exchanges, the last cannot come
before the (t + REACHED - k)-th. So REACHED / (t + REACHED - k) bounds p from above, whenever and
for whatever reason one stops (Fischer, Barry & Ramdas 2024), and features may be watched together:
those that the correction over *all* features already chooses need no more exchanges, since no bound
can rise again. How many features are held in memory at a time plays no part.

A feature without a link needs about REACHED (1 + ln(N / REACHED)) exchanges, where fixed numbers of
permutations need N, and N has to grow with the number of features.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import false_discovery_control

from leitmotif.probe.estimators.nulls import pair_products, reached, studentised
from leitmotif.probe.panel.panel import Array
from leitmotif.work.parallel import in_processes

REACHED = 20
"""Exchanges that have to reach a statistic before it is left alone: p is then known to a fifth."""
SURE = 0.25
"""Share of the false discovery rate that a q-value has to be below before its feature is left
alone: so those that are chosen do not all stop at the border."""
ROUND = 1024
"""Exchanges of one stream of random numbers; the first round is every feature's."""
ROUNDS_TOGETHER = 64
"""Rounds that a process draws at a time."""
FEATURES_TOGETHER = 512
"""Features that are summed at a time; bounds the memory."""
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class FirstRound:
    """What the first round showed of some features, and what is needed to go on with a few."""

    hits: NDArray[np.int64]
    """[REACHED, d], the numbers from 1 of the first exchanges that reached the observed statistic,
    in order; the largest integer where there is none."""
    open: NDArray[np.int64]
    """[s], columns of the features that fewer than ``REACHED`` have reached."""
    observed: Array
    """[s], sizes of their statistics."""
    pairs: Array
    """[cells, s], the products of each two tracks of a fold, fold after fold."""
    sizes: tuple[int, ...]
    """Tracks of each fold."""
    seed: int


def first_round(
    features: Sequence[Array],
    targets: Sequence[Array],
    folds: Sequence[Sequence[int]],
    observed: Array,
    *,
    seed: int,
) -> FirstRound:
    """Exchange all features ``ROUND`` times.

    Parameters
    ----------
    features, targets : what the controls leave, by track: [T, d] and [T, 1] each.
    folds : the tracks of each fold, among which targets are exchanged.
    observed : sizes of the statistics, [d].
    seed : of the exchanges, which are the same for all features.
    """
    pairs = np.concatenate(
        [
            pair_products([features[i] for i in tracks], [targets[i] for i in tracks])[
                ..., 0
            ].reshape(len(tracks) ** 2, -1)
            for tracks in folds
        ]
    )
    sizes = tuple(map(len, folds))
    hits = np.hstack(
        [
            hits_of(sizes, seed, (pairs[:, at], observed[at], range(1)))
            for at in _slices(len(observed))
        ]
    )
    left = np.flatnonzero(hits[-1] == _NEVER)
    return FirstRound(hits, left, observed[left], pairs[:, left], sizes, seed)


def decided(parts: Sequence[FirstRound], *, alpha: float) -> tuple[Array, NDArray[np.int64]]:
    """Exchange until every feature of all parts, which are one family, is decided.

    A feature is left alone once ``REACHED`` exchanges have reached its statistic, or once its
    q-value (Benjamini & Hochberg 1995, over the family) is at most ``SURE`` * ``alpha``, or with as
    many exchanges as would choose it alone among all.

    Returns the p-values [d] and the numbers of exchanges made [d].
    """
    hits = np.hstack([part.hits for part in parts])
    starts = np.cumsum([0, *(part.hits.shape[1] for part in parts)])
    left = np.concatenate([part.open + at for part, at in zip(parts, starts, strict=False)])
    going = replace(
        parts[0],
        open=left,
        observed=np.concatenate([part.observed for part in parts]),
        pairs=np.hstack([part.pairs for part in parts]),
    )
    made = np.full(hits.shape[1], ROUND)
    enough = REACHED * hits.shape[1] / alpha
    while True:
        p = p_values(hits, made)
        q = false_discovery_control(p, method="bh")
        is_open = (hits[-1, going.open] == _NEVER) & (q[going.open] > SURE * alpha)
        is_open &= made[going.open] < enough
        if not is_open.any():
            return p, np.minimum(hits[-1], made)
        going = _kept(going, is_open)
        done = int(made[going.open[0]]) // ROUND
        hits[:, going.open] = _more(going, hits[:, going.open], range(done, 2 * done))
        made[going.open] = 2 * done * ROUND


def exchanges_of(features: int, *, alpha: float) -> tuple[float, float]:
    """Exchanges that ``decided`` makes of a family: expected if no feature has a link, and at most.

    Of features without a link, ``REACHED`` of t have not been reached yet. Whatever the features
    are, no larger share than ``REACHED`` / (``SURE`` * ``alpha`` * t) can be open after t
    exchanges: so many would be chosen already.
    """
    enough, made = REACHED * features / alpha, ROUND
    expected = most = float(ROUND)
    while made < enough:
        expected += made * min(1.0, REACHED / (made + 1))
        most += made * min(1.0, REACHED / (SURE * alpha * made))
        made *= 2
    return features * expected, features * most


def p_values(hits: NDArray[np.int64], made: NDArray[np.int64]) -> Array:
    """Of features [d] with so many exchanges made [d]; ``hits`` as of ``FirstRound``."""
    reaching = (hits != _NEVER).sum(axis=0)
    bound = REACHED / (made + REACHED - reaching)
    return np.where(reaching == REACHED, REACHED / hits[-1], bound)


def _kept(going: FirstRound, which: NDArray[np.bool_]) -> FirstRound:
    return replace(
        going,
        open=going.open[which],
        observed=going.observed[which],
        pairs=going.pairs[:, which],
    )


def _more(going: FirstRound, hits: NDArray[np.int64], rounds: range) -> NDArray[np.int64]:
    """Hits [REACHED, s] after more rounds, on all processors."""
    parts = [rounds[at : at + ROUNDS_TOGETHER] for at in range(0, len(rounds), ROUNDS_TOGETHER)]
    columns = _slices(len(going.open))
    cells = [(going.pairs[:, at], going.observed[at], part) for at in columns for part in parts]
    drawn = list(in_processes(partial(hits_of, going.sizes, going.seed), cells))
    by_columns = [drawn[at : at + len(parts)] for at in range(0, len(drawn), len(parts))]
    more = [np.hstack(of_part) for of_part in zip(*by_columns, strict=True)]
    return np.sort(np.concatenate([hits, *more]), axis=0)[:REACHED]


def _slices(count: int) -> list[slice]:
    return [slice(at, at + FEATURES_TOGETHER) for at in range(0, count, FEATURES_TOGETHER)]


def hits_of(sizes: Sequence[int], seed: int, cell: tuple[Array, Array, range]) -> NDArray[np.int64]:
    """Numbers of the first exchanges of some rounds that reach the observed: [REACHED, s]."""
    pairs, observed, rounds = cell
    table = np.hstack([pairs, pairs**2])
    hits = np.full((REACHED, len(observed)), _NEVER)
    for number in rounds:
        sums = _picks(sizes, seed, number) @ table
        total, squares = np.split(sums, 2, axis=1)
        t = np.abs(studentised(total, squares, sum(sizes)))
        row, column = np.nonzero(reached(t, observed))
        # Row by row: of a feature, the earliest come first.
        order = np.argsort(column, kind="stable")
        row, column = row[order], column[order]
        rank = np.arange(len(column)) - np.searchsorted(column, column)
        first = rank < REACHED
        new = np.full_like(hits, _NEVER)
        new[rank[first], column[first]] = number * ROUND + 1 + row[first]
        hits = np.sort(np.concatenate([hits, new]), axis=0)[:REACHED]
    return hits


def _picks(sizes: Sequence[int], seed: int, number: int) -> sparse.csr_array:
    """The exchanges of a round, as sums over the products of two tracks: [ROUND, cells]."""
    random = np.random.default_rng([seed, number])
    cells, at = [], 0
    for size in sizes:
        order = random.permuted(np.tile(np.arange(size), (ROUND, 1)), axis=1)
        cells.append(at + np.arange(size) * size + order)
        at += size**2
    tracks = sum(sizes)
    return sparse.csr_array(
        (np.ones(ROUND * tracks), np.hstack(cells).ravel(), np.arange(ROUND + 1) * tracks),
        shape=(ROUND, at),
    )
