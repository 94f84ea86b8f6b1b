"""Around each seed: how well each start and length fits, with rhythm and tempo heard too."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leitmotif.recurrence.search import Indices, Pairs
from leitmotif.recurrence.settings import Search
from leitmotif.recurrence.views import Array, Views, transposed

RHYTHM_WEIGHT = 0.25
LENGTH_WEIGHT = 0.2
TEMPO_COST = 0.25
"""Chosen on annotated music, see docs/stages/proposals.md: similarity of 1 in pitch counts as much
as a rhythm correlation of 4, or as a window 2 ** 5 times as long; a recurrence that is slower by
4 % has to be more alike by 0.01 than one in tempo."""

_TEMPO_STEP = 0.02
"""Seconds of recurrence per second of motif, between the tempi that are tried."""


@dataclass(frozen=True)
class Candidates:
    """Pairs of windows, each with its own length; frames of the grid, one entry each."""

    pairs: Pairs
    """With the similarity of pitch."""
    frames: Indices
    """Length of the motif window; the recurrence's is that times the tempo."""
    rhythm: Array
    """Correlation of onset strengths, -1 to 1."""
    score: Array

    def __len__(self) -> int:
        return len(self.pairs)

    def taken(self, which: NDArray[np.bool_] | Indices) -> "Candidates":
        """Return some of the candidates."""
        return Candidates(
            self.pairs.taken(which), self.frames[which], self.rhythm[which], self.score[which]
        )

    @property
    def starts(self) -> NDArray[np.float64]:
        """[n, 2] first frames of motif and recurrence."""
        return np.stack([self.pairs.motif, self.pairs.recurrence], axis=1).astype(np.float64)

    @property
    def ends(self) -> NDArray[np.float64]:
        """[n, 2] frames at which motif and recurrence end, exclusive."""
        lengths = np.stack([self.frames, self.frames * self.pairs.tempo], axis=1)
        return self.starts + lengths


def refine(views: Views, seeds: Pairs, search: Search, *, reach: int | None = None) -> Candidates:
    """Try starts up to ``reach`` frames earlier and later and every length, in the best tempo.

    ``reach`` is half a window unless given. Start and length move both windows alike. Returned are
    all variants that lie within the recording and keep the lag, scored, in no order.
    """
    reach = search.window // 2 if reach is None else reach
    longest = search.windows[-1]
    before = reach + (longest - search.window + 1) // 2
    path = np.arange(-before, before + search.window + reach + 1)  # frames from the seed's start
    seeds, offset = _best_tempo(views, seeds, search)
    motif = seeds.motif[:, None] + path
    recurrence = _rounded(seeds.recurrence[:, None] + offset[:, None] + path * seeds.tempo[:, None])
    inside = (motif >= 0) & (motif < views.frames) & (recurrence >= 0) & (recurrence < views.frames)
    motif, recurrence = (np.clip(frames, 0, views.frames - 1) for frames in (motif, recurrence))
    alike = _frame_similarity(views, motif, recurrence, seeds.transposition)
    onsets = views.rhythm[:, motif], views.rhythm[:, recurrence]
    parts = []
    for frames in search.windows:
        first = before - reach - (frames - search.window) // 2 + np.arange(2 * reach + 1)
        last = first + frames - 1
        whole = inside[:, first] & inside[:, last]
        lag = recurrence[:, first] - motif[:, first]
        # Neither window may reach into the other.
        whole &= lag >= np.maximum(search.least_lag, frames)
        similarity = _window_means(alike, first, frames)
        rhythm = _correlation(*onsets, first, frames)
        score = total_score(similarity, rhythm, frames / search.windows[0], seeds.tempo[:, None])
        seed = np.nonzero(whole)[0]
        parts.append(
            Candidates(
                Pairs(
                    motif[:, first][whole],
                    recurrence[:, first][whole],
                    seeds.transposition[seed],
                    seeds.tempo[seed],
                    similarity[whole],
                ),
                np.full(len(seed), frames, np.intp),
                rhythm[whole],
                score[whole],
            )
        )
    return Candidates(
        Pairs.joined([part.pairs for part in parts]),
        np.concatenate([part.frames for part in parts]),
        np.concatenate([part.rhythm for part in parts]),
        np.concatenate([part.score for part in parts]),
    )


def total_score(similarity: Array, rhythm: Array, length: float, tempo: Array) -> Array:
    """Weigh pitch, rhythm, the window's length in multiples of the shortest one's, and the seconds
    of recurrence per second of motif."""
    weighed = similarity + RHYTHM_WEIGHT * rhythm + LENGTH_WEIGHT * np.log2(length)
    return np.asarray(weighed - TEMPO_COST * np.abs(tempo - 1), dtype=np.float32)


def highest_score(search: Search) -> float:
    """The score of an exact repetition of the longest window."""
    one = np.ones(1, np.float32)
    return float(total_score(one, one, search.windows[-1] / search.windows[0], one)[0])


def _best_tempo(views: Views, seeds: Pairs, search: Search) -> tuple[Pairs, Array]:
    """Turn each seed about its middle to the tempo that fits best, less what it costs; returns also
    by how many frames that moves its recurrence's start."""
    if search.tempo == 0 or not len(seeds):
        return seeds, np.zeros(len(seeds), np.float32)
    path = np.arange(search.window)
    slowest, fastest = (
        round(search.tempo / _TEMPO_STEP),
        round((1 - 1 / (1 + search.tempo)) / _TEMPO_STEP),
    )
    tempi = 1 + _TEMPO_STEP * np.arange(-fastest, slowest + 1)
    offset = (seeds.tempo - tempi[:, None]) * search.window / 2  # [tempi, seeds]
    recurrence = _rounded(
        seeds.recurrence[:, None] + offset[..., None] + path * tempi[:, None, None]
    ).clip(0, views.frames - 1)
    alike = _frame_similarity(views, seeds.motif[:, None] + path, recurrence, seeds.transposition)
    fit = alike.mean(-1) - TEMPO_COST * np.abs(tempi - 1)[:, None]
    best = fit.argmax(0)
    turned = replace(seeds, tempo=tempi[best].astype(np.float32))
    return turned, offset[best, np.arange(len(seeds))].astype(np.float32)


def _rounded(frames: NDArray[np.floating]) -> Indices:
    return np.round(frames).astype(np.intp)


def _frame_similarity(
    views: Views, motif: Indices, recurrence: Indices, transposition: Indices
) -> Array:
    """Similarity of frames along paths, the motif raised by the transposition.

    ``motif`` [seeds, path], ``recurrence`` [..., seeds, path]; returns the latter's shape.
    """
    alike = np.zeros(recurrence.shape, np.float32)
    for seed, shift in enumerate(transposition):
        raised = transposed(views.pitch[:, motif[seed]], int(shift))
        later = views.pitch[:, recurrence[..., seed, :]]
        alike[..., seed, :] = np.einsum("dn,d...n->...n", raised, later)
    return alike


def _window_sums(values: NDArray[np.floating], first: Indices, frames: int) -> NDArray[np.float64]:
    """Sums over ``frames`` entries of the last axis from each of ``first``."""
    total = np.cumsum(values, axis=-1, dtype=np.float64)
    total = np.concatenate([np.zeros((*values.shape[:-1], 1)), total], axis=-1)
    return np.asarray(total[..., first + frames] - total[..., first])


def _window_means(values: Array, first: Indices, frames: int) -> Array:
    return (_window_sums(values, first, frames) / frames).astype(np.float32)


def _correlation(one: Array, other: Array, first: Indices, frames: int) -> Array:
    """Pearson correlation within windows, mean over the rhythm views: [3, n, path] -> [n, starts].

    0 where a view stands still in one of the windows.
    """

    def centred(a: Array, b: Array) -> NDArray[np.float64]:
        products = _window_sums(a.astype(np.float64) * b, first, frames)
        return np.asarray(
            products - _window_sums(a, first, frames) * _window_sums(b, first, frames) / frames
        )

    scale = np.sqrt(np.maximum(centred(one, one), 0) * np.maximum(centred(other, other), 0))
    correlation = np.where(scale > 1e-6, centred(one, other) / np.maximum(scale, 1e-6), 0.0)
    return np.asarray(correlation.mean(0), dtype=np.float32)
