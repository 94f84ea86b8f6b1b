"""Views of the stage ``labels``: how much is known, and in words what became of the decisions."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from leitmotif.errors import counted
from leitmotif.review.labels import Labels
from leitmotif.review.log import Log
from leitmotif.review.recall import recall
from leitmotif.tables.decisions import Decision
from leitmotif.tables.interval import as_metric
from leitmotif.tables.proposals import Proposal


def metrics_of(
    labelled: Labels, proposals: Sequence[Proposal], decisions: Sequence[Decision]
) -> dict[str, object]:
    """How much is known, how much people had to say for it, and what the machine had missed."""
    labels, coverage = labelled.labels, labelled.coverage
    return {
        "labels": len(labels),
        "tracks_complete": sum(row.complete for row in coverage),
        "decisions": len(decisions),
        "recall": as_metric(recall(labels, coverage, proposals)),
    }


def in_words(labelled: Labels) -> list[str]:
    """What people's decisions came to, a line each."""
    outcomes = [f"{n} {name.replace('_', ' ')}" for name, n in labelled.counts.items() if n]
    coverage = labelled.coverage
    complete = sum(row.complete for row in coverage)
    partly = sum(bool(row.known) for row in coverage) - complete
    missing = ": a recurrence may be missing where nobody listened or a pair is open"
    return [
        f"pairs by outcome: {', '.join(outcomes) or 'none'}",
        f"of {counted(len(coverage), 'track')}, {complete} known throughout, {partly} in "
        f"part, {len(coverage) - complete - partly} not{missing * (complete < len(coverage))}",
    ]


def lost_in_words(labelled: Labels) -> list[str]:
    """Decisions that are left out since the manifest lacks their recording, a line each."""
    return [
        f"decisions on {name} are left out: no recording of today's manifest has the SHA-256 "
        f"{sha256}"
        for sha256, name in labelled.lost.items()
    ]


def torn_in_words(logs: Mapping[Path, Log]) -> list[str]:
    """Logs that end in half a line, a line each."""
    return [
        f"{path} ends in half a line, which was never acknowledged and is left out; "
        "`leitmotif review` sets it aside"
        for path, log in logs.items()
        if log.torn
    ]
