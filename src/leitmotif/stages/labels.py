"""Stage ``labels``: the verified recurrences, from the organism's score or people's decisions."""

import sys
from dataclasses import asdict
from pathlib import Path

from leitmotif.config import Params
from leitmotif.corpus.tables import Failure, ManifestTrack
from leitmotif.errors import StageError
from leitmotif.files import read_table, write_json, write_table
from leitmotif.recurrence.queue import Proposal, read_proposals
from leitmotif.review.agreement import Agreement, agreements
from leitmotif.review.decisions import Decision
from leitmotif.review.labels import Labels, from_decisions, from_score
from leitmotif.review.log import log_files, read_log
from leitmotif.review.standing import standing
from leitmotif.stages import CORPUS, COVERAGE, FAILURES, LABELS, MANIFEST, METRICS, PROPOSALS, run
from leitmotif.tables.truth import TRUTH, Truth


def labels(params: Params) -> None:
    """Write data/labels.jsonl, data/coverage.jsonl and metrics/labels.json.

    Raises StageError if the score is asked for and the corpus has none, and ReviewError for a
    decision log that cannot be read.
    """
    settings = params.labels
    failed = {failure.track_id for failure in read_table(FAILURES, Failure)}
    tracks = [row for row in read_table(MANIFEST, ManifestTrack) if row.track_id not in failed]
    proposals = read_proposals(PROPOSALS)
    decisions = _decisions(Path(settings.decisions))
    if settings.source == "score":
        found = from_score(_truths(), tracks, proposals)
    else:
        found = from_decisions(decisions, tracks, proposals, min_reviewers=settings.min_reviewers)
    write_table(LABELS, found.labels)
    write_table(COVERAGE, found.coverage)
    write_json(METRICS / "labels.json", _metrics(settings.source, found, proposals, decisions))


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


def _metrics(
    source: str, found: Labels, proposals: list[Proposal], decisions: list[Decision]
) -> dict[str, object]:
    return {
        "source": source,
        "labels": len(found.labels),
        "tracks": len(found.coverage),
        "tracks_with_labels": len({label.track_id for label in found.labels}),
        "tracks_complete": sum(row.complete for row in found.coverage),
        "proposals": len(proposals),
        "decisions": len(decisions),
        "reviewers": len({decision.reviewer for decision in decisions}),
        "pairs": found.counts,
        "agreement": {"_".join(one.reviewers): _agreed(one) for one in agreements(decisions)},
    }


def _agreed(agreement: Agreement) -> dict[str, object]:
    return {
        "n": agreement.n,
        "kappa": asdict(agreement.kappa),
        "kappa_positive": asdict(agreement.kappa_positive),
    }


if __name__ == "__main__":
    run(labels)
