"""What the page is told, as plain data. Binary arrays travel as base64."""

import base64
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leitmotif.errors import LeitmotifError, StoreError
from leitmotif.review.clips import CONTEXT_SECONDS, WindowClip
from leitmotif.review.pictures import PEAK_SAMPLES, TrackFeatures, outline
from leitmotif.review.queue import Item
from leitmotif.review.session import SHORTEST_WINDOW_SECONDS, Overview, Session
from leitmotif.tables.base import Span
from leitmotif.tables.decisions import QUEUES, Decision, Queue
from leitmotif.tables.proposals import Proposal

Data = dict[str, Any]


def state(session: Session, reviewer: str, queue: Queue) -> Data:
    """Where the reviewer stands: progress, what an undo would take back, what was mended."""
    overview = session.overview(reviewer)
    last = overview[queue].last
    return {
        "reviewer": reviewer,
        "queue": queue,
        "progress": asdict(overview[queue].progress),
        "waiting": _waiting(overview, queue),
        "proposals": session.proposals,
        "last": _decision(session, last) if last else None,
        "notices": session.index.notices,
    }


def _waiting(overview: dict[Queue, Overview], queue: Queue) -> Data:
    """Count what waits. How many disagreements there are is said only where they are settled.

    Otherwise a reviewer would learn from it, after each decision, whether the others had said the
    same.
    """
    counts: Data = {name: len(overview[name].waiting) for name in QUEUES}
    if queue == "review" and counts["review"]:
        counts["disagreements"] = None
    return counts


def item(session: Session, item: Item, reviewer: str, queue: Queue) -> Data:
    """All that the page shows and plays of an item. What cannot be had is said under ``problem``.

    The proposal's score is there only if the session shows scores; what others decided, only in the
    queue of disagreements.
    """
    proposal, track = item.proposal, item.track
    data: Data = {
        "pair": item.pair,
        "track": {
            "id": proposal.track_id,
            "name": track.path.removeprefix("audio/") if track else proposal.track_id,
            "credit": _credit(item),
        },
        "sample_rate": proposal.sample_rate,
        "transposition": proposal.transposition,
        "shortest_window": round(SHORTEST_WINDOW_SECONDS * proposal.sample_rate),
        "context": round(CONTEXT_SECONDS * proposal.sample_rate),
        "windows": {"motif": _span(proposal.motif), "recurrence": _span(proposal.recurrence)},
        "clips": None,
        "matrix": None,
        "problem": None,
        "warning": None,
        "scores": _scores(item.proposal) if session.show_scores else None,
        "decision": None,
        "others": None,
    }
    if queue == "disagreements":
        data["others"] = [_said(decision) for decision in session.said(item.pair)]
    if own := session.decided(reviewer, queue, item.pair):
        data["decision"] = _decision(session, own)
    try:
        motif, recurrence = session.prepare(item)
    except StoreError:  # a full disk is no fault of the item, which nobody should reject for it
        raise
    except LeitmotifError as error:
        return data | {"problem": problem(error)}
    features: TrackFeatures | None = None
    try:
        features = session.features(proposal.track_id)
        data["matrix"] = {"seconds": features.seconds}
    except LeitmotifError as error:
        data["warning"] = problem(error)
    data["clips"] = {
        name: _clip(session, clip, features, proposal.sample_rate)
        for name, clip in (("motif", motif), ("recurrence", recurrence))
    }
    return data


def problem(error: LeitmotifError) -> Data:
    """Return an error's parts."""

    def said(part: object) -> str | None:
        return None if part is None else str(part)

    return {
        "what": error.what,
        "found": said(error.found),
        "expected": said(error.expected),
        "fix": error.fix,
    }


def recorded(session: Session, decision: Decision, *, repeated: bool) -> Data:
    """Return a decision that was just recorded, with the scores, which may be shown now."""
    return {
        "saved": _decision(session, decision),
        "repeated": repeated,
        "scores": _scores(decision),
    }


def _clip(session: Session, clip: WindowClip, features: TrackFeatures | None, rate: int) -> Data:
    samples = session.clips.read(clip, rate)
    data: Data = {
        "name": clip.name,
        "start_sample": clip.start_sample,
        "samples": len(samples),
        "outline": {"step": PEAK_SAMPLES, "data": _base64(outline(samples))},
        "chroma": None,
    }
    if features is not None:
        first, chroma = features.excerpt(clip.start_sample / rate, len(samples) / rate)
        data["chroma"] = {
            "first_frame": first,
            "frames": chroma.shape[1],
            "frame_samples": rate // features.frame_rate,
            "data": _base64(chroma),
        }
    return data


def _decision(session: Session, decision: Decision) -> Data:
    return _said(decision) | {
        "key": decision.key,
        "pair": decision.pair,
        "time": decision.time.isoformat(),
        "windows": {"motif": _span(decision.motif), "recurrence": _span(decision.recurrence)},
    }


def _said(decision: Decision) -> Data:
    return {"reviewer": decision.reviewer, "verdict": decision.verdict, "note": decision.note}


def _scores(of: Proposal | Decision) -> Data:
    return {"score": of.score, "p": of.p, "texture": of.texture}


def _span(span: Span) -> Data:
    return {"start_sample": span.start_sample, "samples": span.samples}


def _credit(item: Item) -> str:
    licence = item.track.licence if item.track else None
    if licence is None:
        return ""
    return " · ".join(part for part in (licence.attribution, licence.name) if part)


def _base64(array: NDArray[np.generic]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
