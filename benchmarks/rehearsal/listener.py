"""A listener who knows where the motifs return: decides, adds what was missed, hears the rest."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.rehearsal.recordings import Recording
from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.files import read_table
from leitmotif.review.known import searched
from leitmotif.review.log import append
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import (
    Decision,
    Entry,
    JudgedSpan,
    Listening,
    Verdict,
    Versions,
    pair_id,
    stretch_id,
)
from leitmotif.tables.proposals import Proposal, read_proposals

LISTENER = "rehearsal"
SHARE = 0.5
"""Of a window that lies within the motif, for the motif to be heard in it."""


def listen(root: Path, recordings: Mapping[str, Recording]) -> None:
    """Write all that is heard, unless it is there; ``recordings`` are by track id."""
    log = root / f"data/decisions/{LISTENER}.jsonl"
    if log.exists():
        return
    numbers = count()
    tracks = read_table(root / "data/manifest.jsonl", ManifestTrack)
    proposals = read_proposals(root / "data/proposals.jsonl")
    for track in tracks:
        own = [proposal for proposal in proposals if proposal.track_id == track.track_id]
        for entry in heard(track, own, recordings[track.track_id]):
            append(log, entry.model_copy(update={"key": f"{next(numbers):032x}"}))


def heard(track: ManifestTrack, proposals: list[Proposal], recording: Recording) -> list[Entry]:
    """What the listener says of one track: every proposal, returns that none has, the rest."""
    decided = [_decided(track, proposal, recording) for proposal in proposals]
    returns = [row.recurrence for row in decided if row.verdict == "positive"]
    statement, *others = [
        _span(place, place + recording.motif_seconds) for place in recording.places
    ]
    missed = [span for span in others if not any(_within(row, span) for row in returns)]
    added = [_decision(track, statement, span, "positive") for span in missed]
    return [*decided, *added, *(_listening(track, window) for window in searched(track))]


def _decided(track: ManifestTrack, proposal: Proposal, recording: Recording) -> Decision:
    places = [_span(place, place + recording.motif_seconds) for place in recording.places]
    windows = (proposal.motif, proposal.recurrence)
    sounds = [any(_within(window, place) for place in places) for window in windows]
    decision = _decision(track, *windows, "positive" if all(sounds) else "negative")
    shared = ("proposal_id", "transposition", "score", "p", "texture")
    return decision.model_copy(update={name: getattr(proposal, name) for name in shared})


def _decision(track: ManifestTrack, motif: Span, recurrence: Span, verdict: Verdict) -> Decision:
    return Decision(
        action="decide",
        queue="review",
        pair=pair_id(track.sha256, SAMPLE_RATE, motif, recurrence),
        verdict=verdict,
        motif=_judged(motif),
        recurrence=_judged(recurrence),
        proposal_id=None,
        proposed_motif=motif,
        proposed_recurrence=recurrence,
        transposition=0,
        score=None,
        p=None,
        texture=None,
        **_common(track),
    )


def _listening(track: ManifestTrack, stretch: Span) -> Listening:
    return Listening(
        action="listen",
        queue="stretches",
        pair=stretch_id(track.sha256, SAMPLE_RATE, stretch),
        verdict="nothing_else",
        stretch=_judged(stretch),
        **_common(track),
    )


def _common(track: ManifestTrack) -> dict[str, Any]:
    """Fields of every line; the key is given when it is written."""
    return {
        "key": "0" * 32,
        "reviewer": LISTENER,
        "time": datetime.fromtimestamp(0, UTC),
        "note": "",
        "track_id": track.track_id,
        "audio_sha256": track.sha256,
        "sample_rate": SAMPLE_RATE,
        "versions": Versions(leitmotif="0", review="0" * 64, page="0" * 64),
    }


def _judged(span: Span) -> JudgedSpan:
    return JudgedSpan(start_sample=span.start_sample, samples=span.samples, sha256=None)


def _span(start: float, end: float) -> Span:
    first, last = round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)
    return Span(start_sample=first, samples=last - first)


def _within(window: Span, motif: Span) -> bool:
    """Whether enough of a window lies within a motif."""
    start = max(window.start_sample, motif.start_sample)
    end = min(window.start_sample + window.samples, motif.start_sample + motif.samples)
    return end - start >= SHARE * window.samples
