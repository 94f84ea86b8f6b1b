"""Stage ``labels``: the verified recurrences, from the organism's score or people's decisions."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from leitmotif.config import Params
from leitmotif.errors import StageError, counted
from leitmotif.files import read_table, write_json, write_table
from leitmotif.pipeline import CORPUS, COVERAGE, FAILURES, LABELS, MANIFEST, METRICS, PROPOSALS, run
from leitmotif.recurrence.search.settings import search_of
from leitmotif.review.labels import Labels, from_decisions, from_score
from leitmotif.review.log import log_files, read_log
from leitmotif.review.recall import recall
from leitmotif.review.standing import standing, standing_listenings
from leitmotif.review.strengths import strengths_in
from leitmotif.stages.missing import say_what_is_missing
from leitmotif.tables.corpus import Failure, ManifestTrack
from leitmotif.tables.decisions import Decision, Entry
from leitmotif.tables.interval import as_metric
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tables.proposals import Proposal, read_proposals
from leitmotif.tables.truth import TRUTH, Truth


def labels(params: Params) -> None:
    """Write data/labels.jsonl, data/coverage.jsonl and metrics/labels.json.

    Raises StageError if the score is asked for and the corpus has none, or if people's decisions do
    not suffice for the probes; ReviewError for a decision log that cannot be read, and AudioError
    for a recording with an added pair that cannot be.
    """
    settings = params.labels
    failed = {failure.track_id for failure in read_table(FAILURES, Failure)}
    tracks = [row for row in read_table(MANIFEST, ManifestTrack) if row.track_id not in failed]
    proposals = read_proposals(PROPOSALS)
    entries = _entries(Path(settings.decisions))
    decisions = standing(entries)
    if settings.source == "score":
        labelled = from_score(_truths(), tracks, proposals)
    else:
        labelled = from_decisions(
            decisions,
            standing_listenings(entries),
            tracks,
            proposals,
            min_reviewers=settings.min_reviewers,
            strengths=partial(
                strengths_in,
                tracks=tracks,
                search=search_of(params.proposals),
                audio_root=CORPUS,
            ),
        )
        _say(labelled)
    write_table(LABELS, labelled.labels)
    write_table(COVERAGE, labelled.coverage)
    metrics = metrics_of(labelled.labels, labelled.coverage, proposals, decisions)
    write_json(METRICS / "labels.json", metrics)
    say_what_is_missing(params, tracks, labelled.labels, labelled.coverage)


def _say(labelled: Labels) -> None:
    outcomes = [f"{n} {name.replace('_', ' ')}" for name, n in labelled.counts.items() if n]
    print(f"labels: pairs by outcome: {', '.join(outcomes) or 'none'}")
    coverage = labelled.coverage
    complete = sum(row.complete for row in coverage)
    partly = sum(bool(row.known) for row in coverage) - complete
    print(
        f"labels: of {counted(len(coverage), 'track')}, {complete} known throughout, {partly} in "
        f"part, {len(coverage) - complete - partly} not: a recurrence may be missing where nobody "
        "listened or a pair is open"
    )
    for sha256, name in labelled.lost.items():
        print(
            f"labels: decisions on {name} are left out: no recording of today's manifest has "
            f"the SHA-256 {sha256}",
            file=sys.stderr,
        )


def _entries(folder: Path) -> list[Entry]:
    entries: list[Entry] = []
    for path in log_files(folder):
        log = read_log(path)
        if log.torn:
            print(
                f"labels: {path} ends in half a line, which was never acknowledged and is left "
                "out; `leitmotif review` sets it aside",
                file=sys.stderr,
            )
        entries += log.entries
    return entries


def _truths() -> list[Truth]:
    path = CORPUS / TRUTH
    if not path.exists():
        raise StageError(
            "labels.source is score, and this corpus has none",
            found=f"no {path}",
            expected="a composed corpus (corpus.source: organism)",
            fix="set labels.source to decisions, and decide with `leitmotif review`",
        )
    return read_table(path, Truth)


def metrics_of(
    labels: Sequence[Label],
    coverage: Sequence[Coverage],
    proposals: Sequence[Proposal],
    decisions: Sequence[Decision],
) -> dict[str, object]:
    """How much is known, how much people had to say for it, and what the machine had missed."""
    # By a score the stage proposals measures its own recall, of all tracks.
    by_people = any(row.source == "decisions" for row in coverage)
    return {
        "labels": len(labels),
        "tracks_complete": sum(row.complete for row in coverage),
        "decisions": len(decisions),
        "recall": as_metric(recall(labels, coverage, proposals)) if by_people else None,
    }


if __name__ == "__main__":
    run(labels)
