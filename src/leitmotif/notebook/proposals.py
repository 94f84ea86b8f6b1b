"""Where motifs recur in one recording, as a function for notebooks."""

from pathlib import Path

import numpy as np

from leitmotif.arguments import as_number
from leitmotif.audio.decode import load_audio
from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.audio.reading.samples import Clip, as_clip, rate_of
from leitmotif.errors import LeitmotifError
from leitmotif.recurrence.listing import FALSE_PER_MINUTE, P
from leitmotif.recurrence.proposals.engine import Suggestion, accepted, suggest_in_audio
from leitmotif.recurrence.search.settings import SearchSettings


def propose(
    audio: Path | str | Clip,
    sample_rate: int | None = None,
    *,
    search: SearchSettings | None = None,
    p: float = P,
    false_per_minute: float = FALSE_PER_MINUTE,
    everything: bool = False,
) -> list[Suggestion]:
    """Propose where motifs recur in a recording, best first.

    Parameters
    ----------
    audio: path of a file (wav, flac, ogg, mp3), what ``load_audio`` or ``compose`` returned, or
        mono samples [n].
    sample_rate: of the samples, in Hz; not for what knows its own.
    search: lengths of motifs, transpositions and the like; None for the defaults.
    p: significance level. Of recordings in which nothing returns, a share of ``p`` gets proposals.
    false_per_minute: number of false proposals a minute that the others may include.
    everything: whether to return also what is not significant.

    Returns
    -------
    Suggestions, with times in seconds. A recording too short to hold a motif and its recurrence
    gives none. Raises AudioError for a file that cannot be decoded and for what is no mono audio
    (``leitmotif.audio.reading.samples``), and LeitmotifError for samples of which the rate is not
    known, and settings out of range.

    Example
    -------
    >>> import leitmotif
    >>> [piece] = leitmotif.compose(1, seed=3)
    >>> best = leitmotif.propose(piece.samples, piece.sample_rate)[0]
    >>> best.motif_start, best.recurrence_start  # seconds
    (2.3, 5.4)
    """
    search = _settings(search, p, false_per_minute)
    name = "the audio"
    if isinstance(audio, Path | str):
        name, sample_rate = str(audio), SAMPLE_RATE
        audio = load_audio(audio, sample_rate=SAMPLE_RATE)
    rate = rate_of(audio, sample_rate)
    samples = as_clip(audio, rate, name=name)
    if len(samples) < search.least_seconds * rate:
        return []
    suggestions = suggest_in_audio(samples, rate, search)
    if everything:
        return suggestions
    return accepted(suggestions, p=p, false_per_minute=false_per_minute)


def _settings(search: object, p: float, false_per_minute: float) -> SearchSettings:
    if search is not None and not isinstance(search, SearchSettings):
        raise LeitmotifError(
            "search is no setting of the search",
            found=type(search).__name__,
            expected="SearchSettings, or None for the defaults",
        )
    for name, value, most in (("p", p, 1.0), ("false_per_minute", false_per_minute, np.inf)):
        number = as_number(value)
        if number is None or not 0 <= number <= most:
            raise LeitmotifError(
                f"{name} is out of range",
                found=f"{value!r:.200}",
                expected=f"a number from 0{' to 1' if most == 1 else ''}",
            )
    return search or SearchSettings()
