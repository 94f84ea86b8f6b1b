"""Stage ``proposals``: the review queue of motif recurrences, each with a score and a p-value."""

from leitmotif.config import Params
from leitmotif.files import read_table, write_json
from leitmotif.pipeline import CORPUS, METRICS, PROPOSALS
from leitmotif.recurrence.proposals.queue import propose_all
from leitmotif.stages.failures import failed, limit_failures
from leitmotif.stages.tracks import readable_tracks
from leitmotif.tables.proposals import write_proposals
from leitmotif.tables.truth import TRUTH, Truth
from leitmotif.views.proposals import metrics_of


def proposals(params: Params) -> None:
    """Write data/proposals.jsonl and metrics/proposals.json.

    Raises StageError, after all other tracks were searched, if some cannot be.
    """
    tracks = readable_tracks()
    proposed = propose_all(tracks, params.proposals, audio_root=CORPUS)
    write_proposals(PROPOSALS, proposed.queue)
    # A track without proposals would count as one in which nothing returns.
    limit_failures("proposals", [failed(*failure) for failure in proposed.failures], of=len(tracks))
    known = {track.track_id for track in tracks}
    truths = read_table(CORPUS / TRUTH, Truth) if (CORPUS / TRUTH).exists() else []
    metrics = metrics_of(
        proposed.queue,
        [row for row in truths if row.track_id in known],
        alarms=proposed.alarms,
        shuffled=proposed.shuffled,
    )
    write_json(METRICS / "proposals.json", metrics)
