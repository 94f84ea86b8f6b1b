"""Labels: the recurrences that are known to be true, from the score or from people's decisions."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.errors import StageError
from leitmotif.review.standing import DecidedPair, by_pair
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import VERDICTS, Decision, pair_id
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tables.proposals import Proposal
from leitmotif.tables.truth import Truth


@dataclass(frozen=True)
class Labels:
    """What the labels stage writes."""

    labels: list[Label]
    coverage: list[Coverage]
    counts: dict[str, int]
    """Pairs by what was decided of them; see ``OUTCOMES``. Empty by the score."""
    lost: dict[str, str] = field(default_factory=dict)
    """Recordings with decisions that the manifest does not hold: the track's name when it was
    decided, by SHA-256."""


OUTCOMES = (*VERDICTS, "disagreed", "pending", "outside_queue", "other_audio")
"""Pairs of the queue on which the reviewers agree, by verdict; on which they disagree; without
enough decisions. Then pairs with decisions that today's queue does not hold (their positives count
all the same), and those on recordings that today's manifest does not hold (they do not)."""


def from_score(
    truths: Iterable[Truth], tracks: Sequence[ManifestTrack], proposals: Sequence[Proposal]
) -> Labels:
    """Take the labels of the organism's music from its score: every statement and return."""
    known = {truth.track_id: truth for truth in truths}
    missing = [track.track_id for track in tracks if track.track_id not in known]
    if missing:
        raise StageError(
            "the score says nothing of some tracks of the manifest",
            found=f"{len(missing)} of {len(tracks)} tracks, for example {missing[0]}",
            fix="run `dvc repro corpus`, or set labels.source to decisions",
        )
    labels = [label for track in tracks for label in _scored(known[track.track_id])]
    labelled = Counter(label.track_id for label in labels)
    proposed = Counter(proposal.track_id for proposal in proposals)
    coverage = [
        Coverage(
            track_id=track.track_id,
            source="score",
            labels=labelled[track.track_id],
            proposals=proposed[track.track_id],
            pending=0,
            complete=True,
        )
        for track in tracks
    ]
    return Labels(labels, coverage, {})


def from_decisions(
    decisions: Iterable[Decision],
    tracks: Sequence[ManifestTrack],
    proposals: Sequence[Proposal],
    *,
    min_reviewers: int,
) -> Labels:
    """Take the labels from standing decisions: the pairs that all who decided call positive.

    A decision follows the audio: its track is the one that has its recording's SHA-256 today,
    whatever the file is called. A decision on a recording that the manifest does not hold is left
    out, and its recording is named in ``Labels.lost``.

    A pair needs ``min_reviewers`` first decisions; second ones, made where the first disagree, take
    their place. A label's windows are the means of the reviewers' windows.
    """
    hashes = {track.track_id: track.sha256 for track in tracks}
    names: dict[str, str] = {}
    for track in tracks:
        names.setdefault(track.sha256, track.track_id)
    lost: dict[str, str] = {}
    queue = {
        pair_id(
            hashes[proposal.track_id], proposal.sample_rate, proposal.motif, proposal.recurrence
        ): proposal.track_id
        for proposal in proposals
        if proposal.track_id in hashes
    }
    pairs = by_pair(decisions)
    counts = dict.fromkeys(OUTCOMES, 0)
    pending = Counter[str]()
    labels = []
    for name in [*queue, *(pair for pair in pairs if pair not in queue)]:
        pair = pairs.get(name, DecidedPair[Decision]())
        outcome = _outcome(pair, min_reviewers)
        if name in queue:
            counts[outcome] += 1
            pending[queue[name]] += outcome in ("disagreed", "pending")
        else:
            decision = (pair.first + pair.second)[0]
            if decision.audio_sha256 not in names:
                counts["other_audio"] += 1
                lost.setdefault(decision.audio_sha256, decision.track_id)
                continue
            counts["outside_queue"] += 1
        if outcome == "positive":
            labels.append(_decided(pair, names))
    ordered = _in_order(labels, tracks)
    return Labels(ordered, _covered(ordered, tracks, queue, pending), counts, lost)


def _outcome(pair: DecidedPair[Decision], min_reviewers: int) -> str:
    if not pair.second and len(pair.first) < min_reviewers:
        return "pending"
    return pair.verdict or "disagreed"


def _scored(truth: Truth) -> list[Label]:
    returns = [(span, 0) for span in truth.statements]
    returns += [(slot, slot.transposition) for slot in truth.slots if slot.returns]
    return [
        Label(
            track_id=truth.track_id,
            sample_rate=SAMPLE_RATE,  # at which the composer counts
            motif=truth.motif,
            recurrence=Span(start_sample=span.start_sample, samples=span.samples),
            transposition=transposition,
            strength=1.0,
            source="score",
            reviewers=[],
            pair=None,
        )
        for span, transposition in returns
    ]


def _decided(pair: DecidedPair[Decision], names: Mapping[str, str]) -> Label:
    """The label of a pair; ``names`` gives today's track of each recording's SHA-256."""
    said = pair.deciding
    first = said[0]
    return Label(
        track_id=names[first.audio_sha256],
        sample_rate=first.sample_rate,
        motif=_mean_span([decision.motif for decision in said]),
        recurrence=_mean_span([decision.recurrence for decision in said]),
        transposition=first.transposition,
        strength=fmean(decision.score for decision in said),
        source="decisions",
        reviewers=sorted(decision.reviewer for decision in said),
        pair=first.pair,
    )


def _mean_span(spans: Sequence[Span]) -> Span:
    start = round(fmean(span.start_sample for span in spans))
    end = round(fmean(span.start_sample + span.samples for span in spans))
    return Span(start_sample=start, samples=end - start)


def _in_order(labels: list[Label], tracks: Sequence[ManifestTrack]) -> list[Label]:
    """Sort by the manifest's tracks, then by time."""
    place = {track.track_id: index for index, track in enumerate(tracks)}

    def key(label: Label) -> tuple[int, int, int]:
        return place[label.track_id], label.motif.start_sample, label.recurrence.start_sample

    return sorted(labels, key=key)


def _covered(
    labels: list[Label],
    tracks: Sequence[ManifestTrack],
    queue: Mapping[str, str],
    pending: Mapping[str, int],
) -> list[Coverage]:
    labelled = Counter(label.track_id for label in labels)
    proposed = Counter(queue.values())
    return [
        Coverage(
            track_id=track.track_id,
            source="decisions",
            labels=labelled[track.track_id],
            proposals=proposed[track.track_id],
            pending=pending[track.track_id],
            # Nobody listened to a track in which nothing was proposed.
            complete=bool(proposed[track.track_id]) and not pending[track.track_id],
        )
        for track in tracks
    ]
