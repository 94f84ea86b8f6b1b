"""What the page is told, as plain data. Binary arrays travel as base64."""

from dataclasses import asdict

from leitmotif.errors import LeitmotifError, StoreError
from leitmotif.review.clips import CONTEXT_SECONDS, WindowClip
from leitmotif.review.limits import SHORTEST_STRETCH_SECONDS, SHORTEST_WINDOW_SECONDS
from leitmotif.review.parts import Data, excerpt, named, problem, recording, span
from leitmotif.review.pictures import TrackFeatures, likeness, most_alike
from leitmotif.review.queue import ALL_QUEUES, AnyQueue, QueueItem
from leitmotif.review.session import Overview, Session
from leitmotif.review.stretches import PairHere, Stretch
from leitmotif.tables.decisions import Decision, Listening
from leitmotif.tables.proposals import Proposal


def state(session: Session, reviewer: str, queue: AnyQueue) -> Data:
    """Where the reviewer stands: progress, what an undo would take back, what was mended."""
    overview = session.overview(reviewer)
    last = overview[queue].last
    return {
        "reviewer": reviewer,
        "queue": queue,
        "progress": asdict(overview[queue].progress),
        "waiting": _waiting(overview, queue),
        "proposals": session.material.proposals,
        "last": _entry(last) if last else None,
        "notices": session.index.notices,
    }


def _waiting(overview: dict[AnyQueue, Overview], queue: AnyQueue) -> Data:
    """Count what waits. How many disagreements there are is said only where they are settled.

    Otherwise a reviewer would learn from it, after each decision, whether the others had said the
    same.
    """
    counts: Data = {name: len(overview[name].waiting) for name in ALL_QUEUES}
    if queue != "disagreements" and counts["review"]:
        counts["disagreements"] = None
    return counts


def offered(session: Session, shown: QueueItem | Stretch, reviewer: str, queue: AnyQueue) -> Data:
    """Return all that the page shows and plays of what a queue asks about.

    What cannot be had is said under ``problem``.
    """
    if isinstance(shown, Stretch):
        return _stretch(session, shown, reviewer)
    return _pair(session, shown, reviewer, queue)


def draft(session: Session, item: QueueItem) -> Data:
    """Return a pair that is not saved yet, as ``offered`` does."""
    return _item(session, item, "draft")


def recorded(session: Session, entry: Decision | Listening, *, repeated: bool) -> Data:
    """Return what was just recorded, with the proposal's scores, which may be shown now."""
    return {
        "saved": _entry(entry),
        "repeated": repeated,
        "scores": _scores(entry) if isinstance(entry, Decision) else None,
    }


def _pair(session: Session, item: QueueItem, reviewer: str, queue: AnyQueue) -> Data:
    """Return a pair of a queue.

    The proposal's score is there only if the session shows scores; what others decided, only in the
    queue of disagreements.
    """
    data = _item(session, item, "pair")
    if session.show_scores and item.proposal is not None:
        data["scores"] = _scores(item.proposal)
    if queue == "disagreements":
        data["others"] = [_said(decision) for decision in session.said(item.pair)]
    if queue != "stretches" and (own := session.decided(reviewer, queue, item.pair)):
        data["decision"] = _entry(own)
    return data


def _item(session: Session, item: QueueItem, kind: str) -> Data:
    rate = item.sample_rate
    listen_at = session.material.stretch_at(item.track_id, item.recurrence.start_sample)
    data: Data = {
        "kind": kind,
        "pair": item.pair,
        "track": named(item.track_id, item.track),
        "sample_rate": rate,
        "transposition": item.transposition,
        "shortest_window": round(SHORTEST_WINDOW_SECONDS * rate),
        "context": round(CONTEXT_SECONDS * rate),
        "windows": {"motif": span(item.motif), "recurrence": span(item.recurrence)},
        "clips": None,
        "matrix": None,
        "recording": None,
        "likeness": None,
        "listen_at": listen_at.pair if listen_at else None,
        "problem": None,
        "warning": None,
        "scores": None,
        "decision": None,
        "others": None,
    }
    try:
        clips = dict(zip(("motif", "recurrence"), session.material.prepare(item), strict=True))
    except StoreError:  # a full disk is no fault of the item, which nobody should reject for it
        raise
    except LeitmotifError as error:
        return data | {"problem": problem(error)}
    features, words = _features(session, item.track_id)
    data |= words
    if features is not None:
        alike = likeness(features, item.motif, item.recurrence, rate)
        data["likeness"] = {str(semitones): round(value, 1) for semitones, value in alike.items()}
    if item.track is not None:
        data["recording"] = recording(item.track, features)
    data["clips"] = {name: _clip(session, clip, features, rate) for name, clip in clips.items()}
    return data


def _stretch(session: Session, stretch: Stretch, reviewer: str) -> Data:
    """Return a stretch with the pairs in it, of which only the reviewer's own verdicts are told."""
    rate, track = stretch.sample_rate, stretch.track
    features, words = _features(session, track.track_id)
    pairs = session.pairs_in(reviewer, stretch)
    own = session.listened(reviewer, stretch.pair)
    data: Data = {
        "kind": "stretch",
        "pair": stretch.pair,
        "track": named(track.track_id, track),
        "sample_rate": rate,
        "shortest_stretch": min(stretch.span.samples, round(SHORTEST_STRETCH_SECONDS * rate)),
        "shortest_window": round(SHORTEST_WINDOW_SECONDS * rate),
        "stretch": span(stretch.span),
        "sound": None,
        "view": None,
        "recording": recording(track, features),
        "pairs": [_here(pair) for pair in pairs],
        "alike": _alike(features, stretch),
        "problem": None,
        "decision": _entry(own) if own else None,
    } | words
    try:
        clip = session.material.sound(stretch)
    except StoreError:
        raise
    except LeitmotifError as error:
        return data | {"problem": problem(error)}
    samples = session.material.clips.read(clip, rate)
    margin = round(CONTEXT_SECONDS * rate)
    first = max(0, stretch.span.start_sample - margin - clip.start_sample)
    last = clip.window.start_sample + clip.window.samples + margin - clip.start_sample
    data["stretch"] = span(clip.window)
    data["sound"] = {
        "name": clip.name,
        "start_sample": clip.start_sample,
        "samples": len(samples),
    }
    data["view"] = excerpt(clip.start_sample + first, samples[first:last], features, rate)
    return data


def _alike(features: TrackFeatures | None, stretch: Stretch) -> list[dict[str, float]] | None:
    """Return the moments that the picture shows as most alike, for those who do not see it."""
    if features is None:
        return None
    rate = stretch.sample_rate
    moments = most_alike(features, stretch.span.start_sample / rate, stretch.span.samples / rate)
    return [
        {"earlier": round(earlier, 2), "later": round(later, 2), "similarity": round(value, 1)}
        for earlier, later, value in moments
    ]


def _features(session: Session, track_id: str) -> tuple[TrackFeatures | None, Data]:
    """Return a track's features, and what of them the page is told."""
    try:
        features = session.material.features(track_id)
    except LeitmotifError as error:
        return None, {"matrix": None, "warning": problem(error)}
    return features, {"matrix": {"seconds": features.seconds}, "warning": None}


def _clip(session: Session, clip: WindowClip, features: TrackFeatures | None, rate: int) -> Data:
    samples = session.material.clips.read(clip, rate)
    return {"name": clip.name} | excerpt(clip.start_sample, samples, features, rate)


def _entry(entry: Decision | Listening) -> Data:
    windows = (
        {"motif": span(entry.motif), "recurrence": span(entry.recurrence)}
        if isinstance(entry, Decision)
        else {"stretch": span(entry.stretch)}
    )
    return _said(entry) | {
        "key": entry.key,
        "pair": entry.pair,
        "time": entry.time.isoformat(),
        "windows": windows,
    }


def _said(entry: Decision | Listening) -> Data:
    return {"reviewer": entry.reviewer, "verdict": entry.verdict, "note": entry.note}


def _here(pair: PairHere) -> Data:
    return {
        "pair": pair.pair,
        "windows": {"motif": span(pair.motif), "recurrence": span(pair.recurrence)},
        "transposition": pair.transposition,
        "verdict": pair.verdict,
        "queued": pair.queued,
    }


def _scores(of: Proposal | Decision) -> Data | None:
    """Return a proposal's scores; None of a pair that a person added."""
    if of.score is None or of.p is None or of.texture is None:
        return None
    return {"score": of.score, "p": of.p, "texture": of.texture}
