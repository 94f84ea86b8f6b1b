"""Sentences on the tracks: what of them was proposed, what the model did, what was searched."""

from typing import TYPE_CHECKING

from leitmotif.errors import counted
from leitmotif.report.words import interval_words, number

if TYPE_CHECKING:
    from leitmotif.causal.experiment.outlook import OpeningCounts
    from leitmotif.tables.interval import IntervalRow


def of_recall(recall: "IntervalRow | None") -> str | None:
    """How many of the returns were proposed at all; None where nobody listened for others."""
    if recall is None or not recall.n:
        return None
    return interval_words(recall, 2, of="track", sign=False)


def of_openings(tried: "OpeningCounts") -> list[tuple[str, str]]:
    """What a model did with recordings: texts, each with the count that it states, or with ""."""
    return [
        ("The motif returned after ", ""),
        (str(tried.returning), "returning"),
        (" of ", ""),
        (counted(tried.openings, "opening"), "openings"),
        (" of ", ""),
        (counted(tried.recordings, "recording"), "recordings"),
        (". An effect can show in ", ""),
        (str(tried.differing), "differing"),
        (" of these: where the motif returns after some openings and not after others.", ""),
    ]


def of_unsearched(seconds: float, searched: float, longer: int) -> str:
    """What part of the recordings lies outside every window."""
    if not longer:
        return "The recordings were searched from beginning to end."
    left = 100 * (1 - searched / seconds)
    return (
        f"{number(left, 1 if left < 10 else 0)} % of the sound was not searched: "
        f"{counted(longer, 'recording')} {'is' if longer == 1 else 'are'} longer than "
        f"{'its' if longer == 1 else 'their'} windows ({number(searched / 60, 1)} of "
        f"{number(seconds / 60, 1)} minutes lie in them). What returns there is not known."
    )
