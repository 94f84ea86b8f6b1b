"""Labels: the recurrences that are known to be true, from the score or from people's decisions."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.errors import StageError
from leitmotif.files import read_table
from leitmotif.review.known import at_rate, is_complete, known_spans
from leitmotif.review.standing import DecidedPair, by_pair
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import VERDICTS, Decision, Listening, pair_id
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


Strengths = Callable[[Sequence[Label]], Sequence[float]]
"""Gives the strengths of labels that no proposal scored: pairs that people added."""

OUTCOMES = (*VERDICTS, "disagreed", "pending", "outside_queue", "other_audio")
"""Pairs of the queue on which the reviewers agree, by verdict; on which they disagree; without
enough decisions. Then pairs with decisions that today's queue does not hold (their positives count
all the same), and those on recordings that today's manifest does not hold (they do not)."""


def read_scores(path: Path) -> list[Truth]:
    """Read what is true of composed music; raises StageError where the corpus has no scores."""
    if not path.exists():
        raise StageError(
            "labels.source is score, and this corpus has none",
            found=f"no {path}",
            expected="a composed corpus (corpus.source: organism)",
            fix="set labels.source to decisions, and decide with `leitmotif review`",
        )
    return read_table(path, Truth)


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
            known=[Span(start_sample=0, samples=max(1, int(track.seconds * SAMPLE_RATE)))],
            sample_rate=SAMPLE_RATE,
            complete=True,
        )
        for track in tracks
    ]
    return Labels(labels, coverage, {})


@dataclass(frozen=True)
class _Question:
    """A pair of windows, proposed or decided, and what was said of it."""

    pair: DecidedPair[Decision]
    queued: bool
    """Whether today's queue holds it."""
    track_id: str | None
    """None if the manifest does not hold its recording."""
    recurrence: Span
    """The recurrence as it was proposed or added, at SAMPLE_RATE."""
    outcome: str

    @property
    def is_open(self) -> bool:
        """Whether it is unknown if a recurrence begins where this one does.

        A pair that is not in the queue was added, or is asked of nobody any more: it counts only if
        somebody has not denied it.
        """
        if self.outcome not in ("pending", "disagreed", "ambiguous"):
            return False
        denied = all(said.verdict in ("negative", "rejected") for said in self.pair.deciding)
        return self.queued or not denied


def from_decisions(
    decisions: Iterable[Decision],
    listenings: Iterable[Listening],
    tracks: Sequence[ManifestTrack],
    proposals: Sequence[Proposal],
    *,
    min_reviewers: int,
    strengths: Strengths,
) -> Labels:
    """Take the labels from what stands: the pairs that all who decided call positive.

    A decision or listening follows the audio: its track is the one that has its recording's
    SHA-256 today, whatever the file is called. A decision on a recording that the manifest does not
    hold is left out, and its recording is named in ``Labels.lost``.

    A pair needs ``min_reviewers`` first decisions; second ones, made where the first disagree, take
    their place. A label's windows are the means of the reviewers' windows. A label's strength is
    its proposal's score; ``strengths`` gives those of pairs that people added.

    Decisions alone say nothing of what was never proposed. What is known of a track is what was
    listened to (``leitmotif.review.known``), less the recurrences of pairs that are pending, on
    which the reviewers disagree, or which they call ambiguous.
    """
    names: dict[str, str] = {}
    for track in tracks:
        names.setdefault(track.sha256, track.track_id)
    questions = _questions(decisions, tracks, proposals, names, min_reviewers)
    counts = dict.fromkeys(OUTCOMES, 0)
    lost: dict[str, str] = {}
    labels: list[Label] = []
    added: list[Label] = []
    for question in questions:
        if question.track_id is None:
            counts["other_audio"] += 1
            decision = (question.pair.first + question.pair.second)[0]
            lost.setdefault(decision.audio_sha256, decision.track_id)
            continue
        counts[question.outcome if question.queued else "outside_queue"] += 1
        if question.outcome == "positive":
            label = _decided(question.pair, question.track_id)
            (labels if label.strength else added).append(label)
    for label, strength in zip(added, strengths(added), strict=True):
        labels.append(label.model_copy(update={"strength": strength}))
    ordered = _in_order(labels, tracks)
    heard: dict[str, list[Listening]] = {}
    for listening in listenings:
        if listening.audio_sha256 in names:
            heard.setdefault(names[listening.audio_sha256], []).append(listening)
    coverage = _covered(ordered, tracks, questions, heard, min_reviewers)
    return Labels(ordered, coverage, counts, lost)


def _questions(
    decisions: Iterable[Decision],
    tracks: Sequence[ManifestTrack],
    proposals: Sequence[Proposal],
    names: Mapping[str, str],
    min_reviewers: int,
) -> list[_Question]:
    """Those of the queue, then those that were decided and are not in it."""
    hashes = {track.track_id: track.sha256 for track in tracks}
    pairs = by_pair(decisions)
    queue = {
        pair_id(
            hashes[proposal.track_id], proposal.sample_rate, proposal.motif, proposal.recurrence
        ): proposal
        for proposal in proposals
        if proposal.track_id in hashes
    }
    questions = []
    for name, proposal in queue.items():
        pair = pairs.pop(name, DecidedPair[Decision]())
        window = at_rate(proposal.recurrence, proposal.sample_rate, SAMPLE_RATE)
        outcome = _outcome(pair, min_reviewers)
        questions.append(_Question(pair, True, proposal.track_id, window, outcome))
    for pair in pairs.values():
        said = (pair.first + pair.second)[0]
        window = at_rate(said.proposed_recurrence, said.sample_rate, SAMPLE_RATE)
        outcome = _outcome(pair, min_reviewers)
        questions.append(_Question(pair, False, names.get(said.audio_sha256), window, outcome))
    return questions


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


def _decided(pair: DecidedPair[Decision], track_id: str) -> Label:
    """The label of a pair; its strength is 0 if no proposal scored it."""
    said = pair.deciding
    first = said[0]
    scores = [decision.score for decision in said if decision.score is not None]
    return Label(
        track_id=track_id,
        sample_rate=first.sample_rate,
        motif=_mean_span([decision.motif for decision in said]),
        recurrence=_mean_span([decision.recurrence for decision in said]),
        transposition=first.transposition,
        strength=fmean(scores) if scores else 0.0,
        source="decisions",
        reviewers=sorted(decision.reviewer for decision in said),
        pair=first.pair,
    )


def as_written(labels: Iterable[Label]) -> Strengths:
    """Give the strengths that an earlier run found for pairs that people added; 1 for others.

    Finding them again takes the audio.
    """
    known = {_without_strength(label): label.strength for label in labels}
    return lambda added: [known.get(_without_strength(label), 1.0) for label in added]


def _without_strength(label: Label) -> str:
    return label.model_dump_json(exclude={"strength"})


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
    questions: Sequence[_Question],
    heard: Mapping[str, list[Listening]],
    min_reviewers: int,
) -> list[Coverage]:
    labelled = Counter(label.track_id for label in labels)
    asked: dict[str | None, list[_Question]] = {track.track_id: [] for track in tracks}
    for question in questions:
        asked.setdefault(question.track_id, []).append(question)
    coverage = []
    for track in tracks:
        own = asked[track.track_id]
        queued = [question for question in own if question.queued]
        known = known_spans(
            heard.get(track.track_id, []),
            [question.recurrence for question in own if question.is_open],
            min_reviewers=min_reviewers,
        )
        coverage.append(
            Coverage(
                track_id=track.track_id,
                source="decisions",
                labels=labelled[track.track_id],
                proposals=len(queued),
                pending=sum(
                    q.outcome in ("disagreed", "pending") and (q.queued or q.is_open) for q in own
                ),
                known=known,
                sample_rate=SAMPLE_RATE,
                complete=is_complete(track, known),
            )
        )
    return coverage
