"""Does a continuation return the motifs of its prefix? For audio that a model generated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from leitmotif.audio.decode import Samples
from leitmotif.corpus.tables import Span
from leitmotif.errors import LeitmotifError
from leitmotif.recurrence.null import SURROGATES, Null, fitted, surrogate
from leitmotif.recurrence.refine import highest_score, refine
from leitmotif.recurrence.search import peaks
from leitmotif.recurrence.settings import Search
from leitmotif.recurrence.views import Views, make_views

_SURROGATES = 16
"""Of the continuation, per kind."""
_BEST = 8
"""Places where the motif fits best, on which rhythm is heard too."""


@dataclass(frozen=True)
class Return:
    """How well a continuation returns one motif."""

    motif: Span
    recurs: bool
    """Whether p is at most, and the score at least, what was asked for."""
    start: float | None
    """Seconds from the continuation's start to where the motif fits best; None without room."""
    transposition: int
    score: float
    """0 is what the continuation's texture alone is expected to reach, 1 an exact repetition."""
    p: float
    """How often a surrogate of the continuation fits as well somewhere."""


def returns(
    prefix: Samples,
    continuation: Samples,
    motifs: Sequence[Span],
    *,
    sample_rate: int,
    search: Search,
    p: float = 0.05,
    min_score: float = 0.5,
) -> list[Return]:
    """Find each motif of ``prefix`` [n] in ``continuation`` [m], mono and without the prefix.

    A motif is compared at its own length, whatever the search's lengths, in every key and tempo
    that the search allows, and only with windows that lie wholly in the continuation. Raises
    LeitmotifError for a motif that is not in the prefix or shorter than 0.2 s, and AudioError for
    audio that cannot be compared.
    """
    found = []
    for length in sorted({motif.samples for motif in motifs}):
        _check(length, sample_rate)
        seconds = length / sample_rate
        texture = min(search.texture_seconds, seconds / 2)
        own = replace(search, lengths=(seconds,), min_lag=0.0, texture_seconds=texture)
        # Apart from each other: nothing of the prefix sounds in the continuation's views.
        views = [make_views(part, sample_rate, rate=own.rate) for part in (prefix, continuation)]
        for motif in (motif for motif in motifs if motif.samples == length):
            if motif.start_sample + motif.samples > len(prefix):
                raise LeitmotifError(
                    "a motif window reaches beyond the prefix",
                    found=f"samples {motif.start_sample} to {motif.start_sample + motif.samples}",
                    expected=f"at most {len(prefix)}",
                    fix="give the windows in samples of the prefix",
                )
            one = _return(views[0], views[1], motif, sample_rate, own)
            found.append(replace(one, recurs=one.p <= p and one.score >= min_score))
    return [next(one for one in found if one.motif == motif) for motif in motifs]


def recurrence_rate(found: Sequence[Return]) -> float:
    """Share of the motifs that recur; NaN of none."""
    return float(np.mean([one.recurs for one in found])) if found else float("nan")


def _check(samples: int, sample_rate: int) -> None:
    if samples < 0.2 * sample_rate:
        raise LeitmotifError(
            "a motif is too short to be recognised",
            found=f"{samples / sample_rate:.3f} s",
            expected="0.2 s or more",
            fix="give longer motif windows",
        )


def _return(
    prefix: Views, continuation: Views, motif: Span, sample_rate: int, search: Search
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
        nulls.append(fitted(np.array([_best(stated, one, search)[0] for one in changed]), 1.0))
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


def _best(stated: Views, later: Views, search: Search) -> tuple[float, int, int]:
    """Highest score of the motif anywhere in ``later``, the frame, and the transposition."""
    joined = Views(
        np.concatenate([stated.pitch, later.pitch], axis=1),
        np.concatenate([stated.rhythm, later.rhythm], axis=1),
        later.rate,
    )
    found = peaks(joined, search, 0, 1)
    if not len(found):
        return -np.inf, 0, 0
    best = found.taken(np.argsort(-found.similarity, kind="stable")[:_BEST])
    candidates = refine(joined, best, search, reach=0)
    if not len(candidates):
        return -np.inf, 0, 0
    index = int(candidates.score.argmax())
    pairs = candidates.pairs
    start = int(pairs.recurrence[index]) - stated.frames
    return float(candidates.score[index]), start, int(pairs.transposition[index])
