"""Provenance of proposals and labels: no recurrence counts that only the machine suggests."""

from collections import Counter
from pathlib import Path

from leitmotif.errors import counted
from leitmotif.pipeline import CORPUS, COVERAGE, LABELS, PROPOSALS
from leitmotif.review.labels import as_written, from_decisions, from_score
from leitmotif.review.log import log_files, read_logs
from leitmotif.review.standing import standing, standing_listenings
from leitmotif.share.protocol.inputs import Inputs, named
from leitmotif.share.protocol.lines import Outcome, failed, passed
from leitmotif.share.protocol.registry import check
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tables.proposals import Proposal
from leitmotif.tables.truth import TRUTH, Truth

_ITEM = "pitfall: auto-generated recurrence as ground truth"


@check(
    "proposals",
    "Every proposal has its p-value under the null, and is of a track of the manifest",
    item="core solution: recurrence proposal engine",
    stage="proposals",
)
def proposals(inputs: Inputs) -> Outcome:
    """Compare the review queue with its settings and the manifest."""
    settings = inputs.params.proposals
    rows = inputs.table(PROPOSALS, Proposal)
    tracks = {track.track_id for track in inputs.tracks}
    wrong = [f"{row.track_id} is not used" for row in rows if row.track_id not in tracks]
    best: dict[str, float] = {}
    for row in rows:
        best[row.track_id] = min(row.p, best.get(row.track_id, 1.0))
    wrong += [f"{name}: p at best {p:.3g}" for name, p in best.items() if p > settings.p]
    if [row.rank for row in rows] != [*range(1, len(rows) + 1)]:
        wrong.append("ranks are not 1, 2, 3, …")
    if wrong:
        return failed(f"{PROPOSALS}: {named(wrong)}", "dvc repro proposals")
    largest = max(best.values(), default=0.0)
    return passed(
        f"{counted(len(rows), 'proposal')} in {len(best)} of "
        f"{len(tracks)} tracks; the best of each has p of "
        f"at most {largest:.3g}"
    )


@check(
    "labels",
    "Every label comes from the score or from people's decisions",
    item=_ITEM,
    stage="labels",
)
def provenance(inputs: Inputs) -> Outcome:
    """Make the labels again from the score, or from the decisions in git, and compare."""
    settings = inputs.params.labels
    rows, coverage = inputs.table(LABELS, Label), inputs.table(COVERAGE, Coverage)
    sources = {row.source for row in rows} | {row.source for row in coverage}
    others = sorted(sources - {settings.source})
    if others:
        return failed(
            f"{LABELS}: labels by {named(others)}, and labels.source is {settings.source}",
            "dvc repro labels",
        )
    queue = inputs.table(PROPOSALS, Proposal)
    if settings.source == "score":
        expected = from_score(inputs.table(CORPUS / TRUTH, Truth), inputs.tracks, queue)
        who = "by the organism's score"
    else:
        entries = read_logs(log_files(Path(settings.decisions)))
        decisions = standing(entries)
        expected = from_decisions(
            decisions,
            standing_listenings(entries),
            inputs.tracks,
            queue,
            min_reviewers=settings.min_reviewers,
            strengths=as_written(rows),
        )
        by = Counter(decision.reviewer for decision in decisions)
        people = ", ".join(f"{name} ({count})" for name, count in sorted(by.items()))
        who = f"by {counted(len(decisions), 'decision')} of {people or 'nobody'}"
    if expected.labels != rows:
        odd = _only(rows, expected.labels) + _only(expected.labels, rows)
        return failed(
            f"{LABELS}: {counted(len(odd), 'label')} not as decided, such as "
            f"{odd[0] if odd else 'their order'}",
            "dvc repro labels",
        )
    if expected.coverage != coverage:
        return failed(f"{COVERAGE} is not what is decided", "dvc repro labels")
    return passed(f"{counted(len(rows), 'label')} {who}")


def _only(rows: list[Label], others: list[Label]) -> list[str]:
    known = {row.model_dump_json() for row in others}
    return [
        f"{row.track_id} at sample {row.recurrence.start_sample}"
        for row in rows
        if row.model_dump_json() not in known
    ]


@check(
    "decided",
    "Absence is known only where somebody listened and no pair is open",
    item=_ITEM,
    stage="labels",
)
def decided(inputs: Inputs) -> Outcome:
    """Count tracks of which something is known; exploratory results are no claims."""
    rows = inputs.rows(COVERAGE, Coverage)
    known = sum(bool(row.known) for row in rows)
    complete = sum(row.complete for row in rows)
    pending = sum(row.pending for row in rows)
    if inputs.params.probes.exploratory:
        return failed(
            f"probes.exploratory takes for known what nobody listened to, and "
            f"{counted(pending, 'undecided pair')}",
            "leitmotif review, set probes.exploratory to false, then dvc repro",
        )
    if not known:
        return failed(
            f"of no track it is known where nothing returns: {counted(pending, 'pair')} undecided",
            "leitmotif review",
        )
    return passed(
        f"{known} of {len(rows)} tracks known, {complete} throughout; "
        f"{counted(pending, 'pair')} undecided"
    )
