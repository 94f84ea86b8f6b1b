"""A listener who knows where the motifs return, and decides every proposal."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.rehearsal.recordings import Recording
from leitmotif.files import read_table
from leitmotif.review.log import append
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import Decision, JudgedSpan, Versions, pair_id
from leitmotif.tables.proposals import Proposal, read_proposals

LISTENER = "rehearsal"
SHARE = 0.5
"""Of a window that lies within the motif, for the motif to be heard in it."""


def listen(root: Path, recordings: Mapping[str, Recording]) -> None:
    """Write the decisions, unless they are there; ``recordings`` are by track id."""
    log = root / f"data/decisions/{LISTENER}.jsonl"
    if log.exists():
        return
    hashes = {
        track.track_id: track.sha256
        for track in read_table(root / "data/manifest.jsonl", ManifestTrack)
    }
    for number, proposal in enumerate(read_proposals(root / "data/proposals.jsonl")):
        recording = recordings[proposal.track_id]
        append(log, _decision(number, proposal, hashes[proposal.track_id], recording))


def _decision(number: int, proposal: Proposal, sha256: str, recording: Recording) -> Decision:
    windows = (proposal.motif, proposal.recurrence)
    heard = [_is_motif(window, proposal.sample_rate, recording) for window in windows]
    motif, recurrence = (JudgedSpan(**dict(window), sha256=None) for window in windows)
    return Decision(
        action="decide",
        key=f"{number:032x}",
        reviewer=LISTENER,
        time=datetime.fromtimestamp(number, UTC),
        queue="review",
        pair=pair_id(sha256, proposal.sample_rate, proposal.motif, proposal.recurrence),
        verdict="positive" if all(heard) else "negative",
        note="",
        track_id=proposal.track_id,
        audio_sha256=sha256,
        sample_rate=proposal.sample_rate,
        motif=motif,
        recurrence=recurrence,
        proposal_id=proposal.proposal_id,
        proposed_motif=proposal.motif,
        proposed_recurrence=proposal.recurrence,
        transposition=proposal.transposition,
        score=proposal.score,
        p=proposal.p,
        texture=proposal.texture,
        versions=Versions(leitmotif="0", review="0" * 64, page="0" * 64),
    )


def _is_motif(window: Span, rate: int, recording: Recording) -> bool:
    start, end = (
        sample / rate for sample in (window.start_sample, window.start_sample + window.samples)
    )
    overlaps = [
        min(end, place + recording.motif_seconds) - max(start, place) for place in recording.places
    ]
    return max(overlaps) >= SHARE * (end - start)
