"""Numbers and sentences of the feature pages."""

from collections.abc import Sequence

import numpy as np

from leitmotif.errors import counted
from leitmotif.report.features.around import Around
from leitmotif.report.features.density import Density
from leitmotif.report.features.listening import ListenedContext, Track
from leitmotif.report.features.moments import BANDS, Moment
from leitmotif.report.features.sounds import SoundCorrelation
from leitmotif.report.numbers import Number, Said, placed
from leitmotif.report.words import DASH, MINUS, framed
from leitmotif.tables.candidates import CandidateRow

CANDIDATES = "data/candidates.jsonl"
WEAK = 0.2
"""Weaker correlations say almost nothing about what a feature responds to."""
CLOCK = 0.5
"""Minimum share of the variance, explained by the step, at which a feature is called a clock."""


def percent(share: float) -> str:
    """A percentage such as ``12.3 %`` or ``0.02 %``."""
    value = 100 * share
    digits = 0 if value >= 99.95 or value == 0 else 1 if value >= 1 else 2 if value >= 0.1 else 3
    return f"{value:.{digits}f} %"


def short_number(value: float) -> str:
    """A number with three significant digits and a true minus sign."""
    return signed(f"{value:.3g}")


def signed(text: str) -> str:
    """Replace the hyphen by a minus sign."""
    return text.replace("-", MINUS)


def effect_of(row: CandidateRow) -> Number:
    """A candidate's partial correlation with its interval."""
    low, high = f"{row.low:.2f}", f"{row.high:.2f}"
    text = signed(framed(f"{row.effect:+.2f}", low, high, n=row.tracks, p=row.p, of="track"))
    return placed(text, row, "effect", file=CANDIDATES)


def chance_of(row: CandidateRow, field: str) -> Number:
    """A p- or q-value of a candidate."""
    value: float | None = getattr(row, field)
    return placed(DASH if value is None else f"{value:.2g}", row, field, file=CANDIDATES)


def stability_of(row: CandidateRow) -> Number:
    """In how many of the folds its effect has the same sign."""
    text = DASH if row.stability is None else percent(row.stability)
    return placed(text, row, "stability", file=CANDIDATES)


def rank_of(row: CandidateRow) -> Number:
    """Its place among the candidates of its horizon."""
    return placed(str(row.rank), row, "rank", file=CANDIDATES)


def horizon(name: str) -> str:
    """A horizon such as ``5-7s`` in the form for sentences: ``5 to 7 s``."""
    return name.removesuffix("s").replace("-", " to ") + " s"


def claim(row: CandidateRow | None) -> Said:
    """Result of the probes, as a sentence."""
    if row is None:
        return (
            "The probes did not select this feature; it was changed as part of a group or as a "
            "comparison."
        )
    more = "more" if row.effect > 0 else "less"
    return [
        f"The more it is active, the {more} likely a recurrence begins {horizon(row.horizon)} "
        "later: partial correlation ",
        effect_of(row),
        ", after the controls.",
    ]


def density(measured: Density) -> str:
    """How often it fires, as a sentence."""
    tracks = f"{measured.tracks_active} of {counted(measured.tracks, 'track')}"
    return f"Active in {percent(measured.share)} of all steps, in {tracks}."


def onsets(around: Around) -> str:
    """Where before an onset the activity differs: furthest ahead and most, as a sentence."""
    difference = around.before - around.elsewhere
    ahead = around.seconds > 0
    if not np.isfinite(difference[ahead]).any():
        return (
            "No comparison is possible: no place has a recurrence ahead in only some of the tracks."
        )
    sure = np.flatnonzero(around.sure & ahead)
    if not len(sure):
        return (
            "Before onsets its activity nowhere differs significantly from that at the same places."
        )
    far = int(sure[-1])
    most = int(sure[np.abs(difference[sure]).argmax()])
    text = f"The earliest significant difference is {_difference(around, far)}"
    return f"{text}." if most == far else f"{text}; the largest is {_difference(around, most)}."


def _difference(around: Around, lag: int) -> str:
    with_one, without = float(around.before[lag]), float(around.elsewhere[lag])
    return (
        f"{around.seconds[lag]:.1f} s before an onset: {short_number(with_one)} against "
        f"{short_number(without)} at the same places of tracks without an onset "
        f"({int(around.tracks[lag])} and {counted(int(around.tracks_elsewhere[lag]), 'track')})"
    )


def left_out(tracks: Sequence[Track]) -> str:
    """What the curves by recurrence leave out; empty where it is nothing.

    "Without a recurrence there" is true only where all of them are known.
    """
    partly = sum(track.partly for track in tracks)
    unknown = [track for track in tracks if not track.complete and not track.partly]
    said = []
    if partly:
        said.append(
            f"Of {partly} of {counted(len(tracks), 'track')} only those seconds are used here in "
            "which all recurrences are known (data/coverage.jsonl)."
        )
    if unknown:
        begun = sum(bool(len(context.onsets)) for track in unknown for context in track.contexts)
        more = f"; verified returns begin in {counted(begun, 'window')} of them" if begun else ""
        said.append(
            f"{len(unknown)} of {counted(len(tracks), 'track')} "
            f"{'is' if len(unknown) == 1 else 'are'} left out of this, because nowhere in them all "
            f"recurrences are known (data/coverage.jsonl){more}."
        )
    return " ".join(said)


def clock(share: float) -> str:
    """Share of the activity that the place in the context explains, as a sentence."""
    if share >= CLOCK:
        return f"It is mostly a clock: the step alone explains {percent(share)} of its activity."
    return f"The step alone explains {percent(share)} of its activity."


def hears(links: Sequence[SoundCorrelation]) -> str:
    """Simple property of the sound with the strongest correlation, as a sentence."""
    best = max(links, key=lambda link: abs(link.r))
    if abs(best.r) < WEAK:
        return (
            f"No property explains it: the strongest correlation is {signed(f'{best.r:+.2f}')}, "
            f"with {best.name}."
        )
    return f"It correlates with {best.name} (r = {signed(f'{best.r:+.2f}')})."


def band(moment: Moment) -> str:
    """Name of the band that a moment was drawn from."""
    assert moment.band is not None
    low, high = BANDS[moment.band]
    if low == 0:
        return f"from the weakest {100 * high:.0f} %"
    return f"from {100 * low:.0f} to {100 * high:.0f} %"


def to_come(moment: Moment, track: Track, context: ListenedContext) -> str:
    """When the next recurrence begins after a moment."""
    ahead = context.onsets - context.timing.now(moment.step)
    later = ahead[ahead > 0]
    if len(later):
        unsure = "" if track.complete else " known"
        return f"next{unsure} recurrence in {later[0]:.1f} s"
    if not track.complete:
        return "its recurrences are not all decided"
    return "no recurrence ahead"
