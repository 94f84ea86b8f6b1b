"""Scores every start and length around each seed, including rhythm and tempo."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leitmotif.recurrence.search.pairs import Indices, WindowPairs
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.recurrence.search.views import Array, Views

LENGTH_WEIGHT = 0.2
TEMPO_COST = 0.25
"""Selected on annotated music; see docs/stages/proposals.md. A pitch similarity of 1 counts as much
as a window of 32 times the length. A recurrence that is slower by 4 % needs a similarity that is
higher by 0.01."""

_TEMPO_STEP = 0.02
"""Step between the tempi that are tried, in seconds of recurrence per second of motif."""
_BEND = 1
"""Maximum deviation of a recurrence from a steady tempo, in frames."""
_BEND_COST = 0.5
"""Gain, in frames of perfect similarity, that justifies a shift by one frame."""


@dataclass(frozen=True)
class Candidates:
    """Pairs of windows, each with its own length; frames of the grid, one entry each."""

    pairs: WindowPairs
    rhythm: Array
    """Correlation of onset strengths, -1 to 1."""
    score: Array

    def __len__(self) -> int:
        return len(self.pairs)

    def taken(self, which: NDArray[np.bool_] | Indices) -> "Candidates":
        """Return some of the candidates."""
        return Candidates(self.pairs.taken(which), self.rhythm[which], self.score[which])

    @staticmethod
    def joined(parts: "list[Candidates]") -> "Candidates":
        """Concatenate candidates."""
        none = np.zeros(0)
        return Candidates(
            WindowPairs.joined([part.pairs for part in parts]),
            np.concatenate([none, *(part.rhythm for part in parts)]),
            np.concatenate([none, *(part.score for part in parts)]),
        )


def refine(
    views: Views, seeds: WindowPairs, search: SearchSettings, *, reach: int | None = None
) -> Candidates:
    """Score every start near each seed, with every length, at the best tempo.

    Both windows of a pair always get the same change of start and length.

    Parameters
    ----------
    views
        Of the recording.
    seeds
        Pairs around which to search.
    search
        Settings of the search.
    reach
        Maximum change of the start in frames; by default half of the seed's window.

    Returns
    -------
    Candidates
        All variants that lie within the recording and keep the minimum lag, in no order.
    """
    parts = []
    for window in map(int, np.unique(seeds.frames)):
        alike = seeds.taken(seeds.frames == window)
        parts += _variants(views, alike, search, window, window // 2 if reach is None else reach)
    return Candidates.joined(parts)


def _variants(
    views: Views, seeds: WindowPairs, search: SearchSettings, window: int, reach: int
) -> list[Candidates]:
    """``refine`` for seeds of one length; a part for each length of the search."""
    before = reach + (search.windows[-1] - window + 1) // 2
    path = np.arange(-before, before + window + reach + 1)  # frames from the seed's start
    seeds, offset = _best_tempo(views, seeds, search, window)
    motif = seeds.motif[:, None] + path
    recurrence = _rounded(seeds.recurrence[:, None] + offset[:, None] + path * seeds.tempo[:, None])
    bend = np.zeros_like(recurrence)
    if search.tempo > 0:
        bend = _bend(views, motif, recurrence, seeds.transposition)
        recurrence += bend
    inside = _inside(views, motif) & _inside(views, recurrence)
    alike = _frame_similarity(views, motif, recurrence, seeds.transposition)
    motif, recurrence = (np.clip(frames, 0, views.frames - 1) for frames in (motif, recurrence))
    onsets = views.rhythm[:, motif], views.rhythm[:, recurrence]
    parts = []
    for frames in search.windows:
        first = before - reach - (frames - window) // 2 + np.arange(2 * reach + 1)
        last = first + frames - 1
        whole = inside[:, first] & inside[:, last]
        lag = recurrence[:, first] - motif[:, first]
        # Neither window may reach into the other.
        whole &= lag >= np.maximum(search.least_lag, frames)
        similarity = _window_means(alike, first, frames)
        rhythm = _correlation(*onsets, first, frames)
        length = frames / search.windows[0]
        # From the first to the last frame, however the path bends between.
        tempo = seeds.tempo[:, None] + (bend[:, last] - bend[:, first]) / frames
        score = total_score(similarity, rhythm, length, tempo, search.rhythm)
        seed = np.nonzero(whole)[0]
        pairs = WindowPairs(
            motif[:, first][whole],
            recurrence[:, first][whole],
            np.full(len(seed), frames, np.intp),
            seeds.transposition[seed],
            tempo[whole],
            similarity[whole],
        )
        parts.append(Candidates(pairs, rhythm[whole], score[whole]))
    return parts


def total_score(
    similarity: Array, rhythm: Array, length: float, tempo: Array, rhythm_weight: float
) -> Array:
    """Combine pitch, rhythm, length and tempo into a score.

    Parameters
    ----------
    similarity
        Mean cosine of the pitch views, 1 at most.
    rhythm
        Correlation of onset strengths, -1 to 1.
    length
        Length of the window, in multiples of the shortest window.
    tempo
        Seconds of recurrence per second of motif.
    rhythm_weight
        Weight of ``rhythm``; ``similarity`` has weight 1.
    """
    weighed = similarity + rhythm_weight * rhythm + LENGTH_WEIGHT * np.log2(length)
    # Logarithms differ between processors in their last digit.
    return np.asarray(np.round(weighed - TEMPO_COST * np.abs(tempo - 1), 12))


def highest_score(search: SearchSettings) -> float:
    """The score of an exact repetition of the longest window."""
    ones = np.ones(1)
    length = search.windows[-1] / search.windows[0]
    return float(total_score(ones, ones, length, ones, search.rhythm)[0])


def _best_tempo(
    views: Views, seeds: WindowPairs, search: SearchSettings, window: int
) -> tuple[WindowPairs, Array]:
    """Set each seed to its best tempo, after the cost of the tempo, and keep its middle in place.

    Also returns the shift of each recurrence's start in frames.
    """
    if search.tempo == 0 or not len(seeds):
        return seeds, np.zeros(len(seeds))
    path = np.arange(window)
    slowest, fastest = (
        round(search.tempo / _TEMPO_STEP),
        round((1 - 1 / (1 + search.tempo)) / _TEMPO_STEP),
    )
    tempi = 1 + _TEMPO_STEP * np.arange(-fastest, slowest + 1)
    offset = (seeds.tempo - tempi[:, None]) * window / 2  # [tempi, seeds]
    recurrence = _rounded(
        seeds.recurrence[:, None] + offset[..., None] + path * tempi[:, None, None]
    )
    alike = _frame_similarity(views, seeds.motif[:, None] + path, recurrence, seeds.transposition)
    fit = alike.mean(-1) - TEMPO_COST * np.abs(tempi - 1)[:, None]
    best = fit.argmax(0)
    turned = replace(seeds, tempo=tempi[best])
    return turned, offset[best, np.arange(len(seeds))]


def _bend(views: Views, motif: Indices, recurrence: Indices, transposition: Indices) -> Indices:
    """Deviation of each recurrence from a steady tempo in frames, [seeds, path].

    The Viterbi algorithm selects the best path, because tempo is never quite steady.
    """
    offsets = np.arange(-_BEND, _BEND + 1)
    alike = _frame_similarity(
        views, motif, recurrence + offsets[:, None, None], transposition
    )  # [offsets, seeds, path]
    fit = alike[..., 0]
    came_from = np.zeros(alike.shape, np.int8)
    for step in range(1, alike.shape[-1]):
        padded = np.pad(fit - _BEND_COST, ((1, 1), (0, 0)), constant_values=-np.inf)
        ways = np.stack([padded[:-2], fit, padded[2:]])
        came_from[..., step] = ways.argmax(0) - 1
        fit = ways.max(0) + alike[..., step]
    bend = np.empty_like(recurrence)
    seeds = np.arange(len(recurrence))
    at = fit.argmax(0)
    for step in range(alike.shape[-1] - 1, -1, -1):
        bend[:, step] = offsets[at]
        at = at + came_from[at, seeds, step]
    return bend


def _inside(views: Views, frames: Indices) -> NDArray[np.bool_]:
    return (frames >= 0) & (frames < views.frames)


def _rounded(frames: NDArray[np.floating]) -> Indices:
    return np.round(frames).astype(np.intp)


def _frame_similarity(
    views: Views, motif: Indices, recurrence: Indices, transposition: Indices
) -> Array:
    """Similarity of frames along paths, with the motif raised by the transposition.

    ``motif`` is [seeds, path] and ``recurrence`` [..., seeds, path]; the result has the shape of
    the latter. Outside the recording it is 0.
    """
    alike = np.zeros(recurrence.shape)
    inside = _inside(views, motif) & _inside(views, recurrence)
    motif, recurrence = (np.clip(frames, 0, views.frames - 1) for frames in (motif, recurrence))
    for seed, shift in enumerate(transposition):
        raised = views.raised(int(shift))[:, motif[seed]]
        later = views.pitch[:, recurrence[..., seed, :]]
        alike[..., seed, :] = np.einsum("dn,d...n->...n", raised, later)
    return alike * inside


def _window_sums(values: NDArray[np.floating], first: Indices, frames: int) -> NDArray[np.float64]:
    """Sums over ``frames`` entries of the last axis from each of ``first``."""
    total = np.cumsum(values, axis=-1)
    total = np.concatenate([np.zeros((*values.shape[:-1], 1)), total], axis=-1)
    return np.asarray(total[..., first + frames] - total[..., first])


def _window_means(values: Array, first: Indices, frames: int) -> Array:
    return _window_sums(values, first, frames) / frames


def _correlation(motif: Array, recurrence: Array, first: Indices, frames: int) -> Array:
    """Pearson correlation within windows, mean over the rhythm views: [3, n, path] -> [n, starts].

    0 if a view is constant in one of the windows.
    """

    def centred(a: Array, b: Array) -> NDArray[np.float64]:
        products = _window_sums(a * b, first, frames)
        return np.asarray(
            products - _window_sums(a, first, frames) * _window_sums(b, first, frames) / frames
        )

    scale = np.sqrt(
        np.maximum(centred(motif, motif), 0) * np.maximum(centred(recurrence, recurrence), 0)
    )
    correlation = np.where(scale > 1e-6, centred(motif, recurrence) / np.maximum(scale, 1e-6), 0.0)
    return np.asarray(correlation.mean(0))
