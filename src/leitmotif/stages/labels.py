"""Stage ``labels``: the verified recurrences, from the organism's score or people's decisions."""

import sys
from collections.abc import Sequence
from pathlib import Path

from leitmotif.config import Params
from leitmotif.errors import StageError
from leitmotif.files import read_table, write_json, write_table
from leitmotif.pipeline import CORPUS, COVERAGE, FAILURES, LABELS, MANIFEST, METRICS, PROPOSALS, run
from leitmotif.review.labels import from_decisions, from_score
from leitmotif.review.log import log_files, read_log
from leitmotif.review.standing import standing
from leitmotif.stages.missing import say_what_is_missing
from leitmotif.tables.corpus import Failure, ManifestTrack
from leitmotif.tables.decisions import Decision
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tables.proposals import read_proposals
from leitmotif.tables.truth import TRUTH, Truth


def labels(params: Params) -> None:
    """Write data/labels.jsonl, data/coverage.jsonl and metrics/labels.json.

    Raises StageError if the score is asked for and the corpus has none, or if people's decisions do
    not suffice for the probes; and ReviewError for a decision log that cannot be read.
    """
    settings = params.labels
    failed = {failure.track_id for failure in read_table(FAILURES, Failure)}
    tracks = [row for row in read_table(MANIFEST, ManifestTrack) if row.track_id not in failed]
    proposals = read_proposals(PROPOSALS)
    decisions = _decisions(Path(settings.decisions))
    if settings.source == "score":
        labelled = from_score(_truths(), tracks, proposals)
    else:
        labelled = from_decisions(
            decisions, tracks, proposals, min_reviewers=settings.min_reviewers
        )
        outcomes = [f"{n} {name.replace('_', ' ')}" for name, n in labelled.counts.items() if n]
        print(f"labels: pairs by outcome: {', '.join(outcomes) or 'none'}")
        for sha256, name in labelled.lost.items():
            print(
                f"labels: decisions on {name} are left out: no recording of today's manifest has "
                f"the SHA-256 {sha256}",
                file=sys.stderr,
            )
    write_table(LABELS, labelled.labels)
    write_table(COVERAGE, labelled.coverage)
    write_json(METRICS / "labels.json", metrics_of(labelled.labels, labelled.coverage, decisions))
    say_what_is_missing(params, tracks, labelled.labels, labelled.coverage)


def _decisions(folder: Path) -> list[Decision]:
    entries = []
    for path in log_files(folder):
        log = read_log(path)
        if log.torn:
            print(
                f"labels: {path} ends in half a line, which was never acknowledged and is left "
                "out; `leitmotif review` sets it aside",
                file=sys.stderr,
            )
        entries += log.entries
    return standing(entries)


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
    labels: Sequence[Label], coverage: Sequence[Coverage], decisions: Sequence[Decision]
) -> dict[str, object]:
    """How much is known, and how much people had to say for it."""
    return {
        "labels": len(labels),
        "tracks_complete": sum(row.complete for row in coverage),
        "decisions": len(decisions),
    }


if __name__ == "__main__":
    run(labels)
