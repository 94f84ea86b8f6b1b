"""Tests whether generated audio returns the motifs of its prefix."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from leitmotif.audio.reading.samples import Samples
from leitmotif.errors import LeitmotifError
from leitmotif.recurrence.search.null import SURROGATES, Null, fitted, surrogate
from leitmotif.recurrence.search.refine import highest_score, refine
from leitmotif.recurrence.search.seeds import peaks
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.recurrence.search.views import Views, make_views
from leitmotif.tables.base import Span

_SURROGATES = 16
"""Number of surrogates of the continuation, per kind."""
_BEST = 8
"""Number of places with the highest pitch similarity at which rhythm is compared too."""


@dataclass(frozen=True)
class Return:
    """How well a continuation returns one motif."""

    motif: Span
    recurs: bool
    """Whether the p-value is low enough and the score high enough for the listener's levels."""
    start: float | None
    """Seconds from the continuation's start to the best match; None if the continuation is too
    short for the motif."""
    transposition: int
    score: float
    """The continuation's texture alone is expected to reach 0, an exact repetition reaches 1."""
    p: float
    """Probability that a surrogate of the continuation matches as well somewhere."""


class Listener:
    """Searches for the motifs of one prefix in any number of continuations.

    A motif is compared at its own length, in every key and tempo that the search allows, and only
    with windows that lie completely in the continuation.

    Parameters
    ----------
    prefix
        Mono audio [n] without the continuation.
    motifs
        Windows in samples of the prefix.
    sample_rate
        Of the prefix and the continuations, in Hz.
    search
        Settings of the search; its lengths are not used.
    p
        Maximum p-value at which a motif counts as returned.
    min_score
        Minimum score at which a motif counts as returned.

    Raises
    ------
    LeitmotifError
        If a motif is not in the prefix or shorter than 0.2 s.
    AudioError
        If the audio cannot be compared.
    """

    def __init__(
        self,
        prefix: Samples,
        motifs: Sequence[Span],
        *,
        sample_rate: int,
        search: SearchSettings,
        p: float = 0.05,
        min_score: float = 0.5,
    ) -> None:
        self.motifs, self.p, self.min_score = motifs, p, min_score
        self._sample_rate = sample_rate
        self._searches: dict[int, SearchSettings] = {}
        for length in sorted({motif.samples for motif in motifs}):
            _check(length, sample_rate)
            seconds = length / sample_rate
            texture = min(search.texture_seconds, seconds / 2)
            self._searches[length] = replace(
                search, lengths=(seconds,), min_lag=0.0, texture_seconds=texture
            )
        for motif in motifs:
            if motif.start_sample + motif.samples > len(prefix):
                raise LeitmotifError(
                    "a motif window reaches beyond the prefix",
                    found=f"samples {motif.start_sample} to {motif.start_sample + motif.samples}",
                    expected=f"at most {len(prefix)}",
                    fix="give the windows in samples of the prefix",
                )
        # Analysed separately, so that no sound of the prefix enters a continuation's views.
        self._views = self._at_each_rate(prefix)

    def returns(self, continuation: Samples) -> list[Return]:
        """Search for each motif in ``continuation`` [m], in the order of the motifs."""
        later = self._at_each_rate(continuation)
        returns = []
        for motif in self.motifs:
            search = self._searches[motif.samples]
            stated, heard = self._views[search.rate], later[search.rate]
            motif_return = _return(stated, heard, motif, self._sample_rate, search)
            recurs = motif_return.p <= self.p and motif_return.score >= self.min_score
            returns.append(replace(motif_return, recurs=recurs))
        return returns

    def _at_each_rate(self, samples: Samples) -> dict[float, Views]:
        rates = {search.rate for search in self._searches.values()}
        return {rate: make_views(samples, self._sample_rate, rate=rate) for rate in rates}


def recurrence_rate(returns: Sequence[Return]) -> float:
    """Share of the motifs that recur; NaN if there are none."""
    if not returns:
        return float("nan")
    return float(np.mean([motif_return.recurs for motif_return in returns]))


def _check(samples: int, sample_rate: int) -> None:
    if samples < 0.2 * sample_rate:
        raise LeitmotifError(
            "a motif is too short to be recognised",
            found=f"{samples / sample_rate:.3f} s",
            expected="0.2 s or more",
            fix="give longer motif windows",
        )


def _return(
    prefix: Views, continuation: Views, motif: Span, sample_rate: int, search: SearchSettings
) -> Return:
    frame = min(round(motif.start_sample / sample_rate * prefix.rate), prefix.frames)
    window = np.arange(frame, min(frame + search.window, prefix.frames))
    if len(window) < search.window:
        window = np.arange(max(0, prefix.frames - search.window), prefix.frames)
    stated = prefix.taken(window.astype(np.intp))
    if len(window) < search.window or continuation.frames < search.window:
        return Return(motif, False, None, 0, 0.0, 1.0)
    score, start, transposition = _best(stated, continuation, search)
    random = np.random.default_rng([search.seed, motif.start_sample, continuation.frames])
    nulls: list[Null] = []
    for kind in SURROGATES:
        changed = [surrogate(continuation, search, kind, random) for _ in range(_SURROGATES)]
        nulls.append(fitted(np.array([_best(stated, views, search)[0] for views in changed]), 1.0))
    location = max(null.location for null in nulls)
    level = max(float(null.p(np.array([score]))[0]) for null in nulls)
    return Return(
        motif,
        False,
        start / continuation.rate,
        transposition,
        (score - location) / (highest_score(search) - location),
        level,
    )


def _best(stated: Views, later: Views, search: SearchSettings) -> tuple[float, int, int]:
    """Highest score of the motif anywhere in ``later``, the frame, and the transposition."""
    joined = Views(
        np.concatenate([stated.pitch, later.pitch], axis=1),
        np.concatenate([stated.rhythm, later.rhythm], axis=1),
        later.rate,
    )
    matches = peaks(joined, search, 0, 1)
    if not len(matches):
        return -np.inf, 0, 0
    best = matches.taken(np.argsort(-matches.similarity, kind="stable")[:_BEST])
    candidates = refine(joined, best, search, reach=0)
    if not len(candidates):
        return -np.inf, 0, 0
    index = int(candidates.score.argmax())
    pairs = candidates.pairs
    start = int(pairs.recurrence[index]) - stated.frames
    return float(candidates.score[index]), start, int(pairs.transposition[index])
