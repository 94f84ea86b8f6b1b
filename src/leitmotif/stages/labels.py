"""Stage ``labels``: the verified recurrences, from the organism's score or people's decisions."""

import sys
from functools import partial
from pathlib import Path

from leitmotif.config import Params
from leitmotif.files import read_table, write_json, write_table
from leitmotif.pipeline import CORPUS, COVERAGE, FAILURES, LABELS, MANIFEST, METRICS, PROPOSALS
from leitmotif.recurrence.search.settings import search_of
from leitmotif.review.labels import from_decisions, from_score, read_scores
from leitmotif.review.log import log_files, read_log
from leitmotif.review.standing import standing, standing_listenings
from leitmotif.review.strengths import strengths_in
from leitmotif.stages.missing import say_what_is_missing
from leitmotif.tables.corpus import Failure, ManifestTrack
from leitmotif.tables.proposals import read_proposals
from leitmotif.tables.truth import TRUTH
from leitmotif.views.labels import in_words, lost_in_words, metrics_of, torn_in_words


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
    logs = {path: read_log(path) for path in log_files(Path(settings.decisions))}
    for line in torn_in_words(logs):
        print(f"labels: {line}", file=sys.stderr)
    entries = [entry for log in logs.values() for entry in log.entries]
    decisions = standing(entries)
    if settings.source == "score":
        labelled = from_score(read_scores(CORPUS / TRUTH), tracks, proposals)
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
        for line in in_words(labelled):
            print(f"labels: {line}")
        for line in lost_in_words(labelled):
            print(f"labels: {line}", file=sys.stderr)
    write_table(LABELS, labelled.labels)
    write_table(COVERAGE, labelled.coverage)
    write_json(METRICS / "labels.json", metrics_of(labelled, proposals, decisions))
    say_what_is_missing(params, tracks, labelled.labels, labelled.coverage)
