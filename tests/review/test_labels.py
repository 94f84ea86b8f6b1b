"""Which decisions become labels, and what is known of a track."""

from typing import Any

import pytest

from leitmotif.review.labels import Labels, from_decisions
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.tables.decisions import Decision, JudgedSpan, pair_id
from leitmotif.tables.proposals import Proposal, proposal_address
from tests.review.made import decision

AUDIO = {f"track_{number}": f"{number}" * 64 for number in range(3)}
TRACKS = [
    ManifestTrack(
        track_id=name,
        path=f"audio/{name}.mp3",
        sha256=sha256,
        seconds=30,
        tags=[],
        licence=None,
        windows=[Window(start_frame=0, frames=1)],
    )
    for name, sha256 in AUDIO.items()
]
MOTIF = Span(start_sample=0, samples=32000)


def proposed(track: int, place: int) -> Proposal:
    recurrence = Span(start_sample=(10 + place) * 32000, samples=32000)
    return Proposal(
        proposal_id=proposal_address(f"track_{track}", MOTIF, recurrence, engine="test"),
        track_id=f"track_{track}",
        sample_rate=32000,
        motif=MOTIF,
        recurrence=recurrence,
        transposition=2,
        score=0.5,
        p=0.01,
        texture=0.0,
        rank=10 * track + place + 1,
    )


QUEUE = [proposed(track, place) for track in range(2) for place in range(2)]


def said(
    reviewer: str, proposal: Proposal, verdict: str = "positive", nudge: int = 0, **fields: Any
) -> Decision:
    start, samples = proposal.recurrence.start_sample + nudge, proposal.recurrence.samples
    values = {
        "track_id": proposal.track_id,
        "audio_sha256": AUDIO[proposal.track_id],
        "pair": pair_id(AUDIO[proposal.track_id], 32000, MOTIF, proposal.recurrence),
        "motif": JudgedSpan(**dict(MOTIF), sha256="b" * 64),
        "recurrence": JudgedSpan(start_sample=start, samples=samples, sha256="c" * 64),
        "transposition": 2,
    }
    return decision(reviewer, verdict=verdict, **(values | fields))


def labelled(decisions: list[Decision], min_reviewers: int = 1) -> Labels:
    return from_decisions(decisions, TRACKS, QUEUE, min_reviewers=min_reviewers)


def test_only_positives_become_labels() -> None:
    verdicts = ["positive", "negative", "ambiguous", "rejected"]
    of_decisions = labelled([said("ana", *each) for each in zip(QUEUE, verdicts, strict=True)])
    (label,) = of_decisions.labels
    assert label.recurrence == QUEUE[0].recurrence
    assert (label.transposition, label.strength, label.source) == (2, 0.5, "decisions")
    assert label.reviewers == ["ana"]
    assert {name: of_decisions.counts[name] for name in verdicts} == dict.fromkeys(verdicts, 1)
    assert of_decisions.counts["pending"] == 0


def test_a_disagreement_is_no_label_until_it_is_settled() -> None:
    differ = [said("ana", QUEUE[0]), said("ben", QUEUE[0], "negative")]
    assert labelled(differ).labels == []
    assert labelled(differ).counts["disagreed"] == 1
    settled = [*differ, said("eva", QUEUE[0], queue="disagreements")]
    (label,) = labelled(settled, min_reviewers=2).labels
    assert label.reviewers == ["eva"]


def test_a_pair_needs_as_many_reviewers_as_are_asked_for() -> None:
    decisions = [said("ana", QUEUE[0], nudge=0), said("ben", QUEUE[0], nudge=640)]
    assert labelled(decisions[:1], min_reviewers=2).labels == []
    assert labelled(decisions[:1], min_reviewers=2).counts["pending"] == 4
    (label,) = labelled(decisions, min_reviewers=2).labels
    assert label.recurrence.start_sample == QUEUE[0].recurrence.start_sample + 320
    assert label.reviewers == ["ana", "ben"]


def test_coverage_says_where_something_may_be_missing() -> None:
    """So it may where nothing was proposed: nobody listened there."""
    decisions = [
        said("ana", QUEUE[0]),
        said("ana", QUEUE[1], "negative"),
        said("ana", QUEUE[2]),
        said("ana", QUEUE[3]),
        said("ben", QUEUE[3], "ambiguous"),
    ]
    rows = {row.track_id: row for row in labelled(decisions).coverage}
    assert [(row.labels, row.proposals, row.pending, row.complete) for row in rows.values()] == [
        (1, 2, 0, True),
        (1, 2, 1, False),
        (0, 0, 0, False),
    ]


def test_a_decision_outlives_the_proposal_it_was_made_on() -> None:
    old = proposed(0, 7)
    of_decisions = labelled([said("ana", old)])
    assert [label.recurrence for label in of_decisions.labels] == [old.recurrence]
    assert of_decisions.counts["outside_queue"] == 1
    assert of_decisions.coverage[0].pending == 2


@pytest.mark.fault(
    "decision log", "the audio of a decision is gone", outcome="the decision is named and left out"
)
def test_a_decision_on_audio_that_is_gone_is_named_and_does_not_count() -> None:
    of_decisions = labelled([said("ana", QUEUE[0], audio_sha256="f" * 64, pair="f" * 16)])
    assert of_decisions.labels == []
    assert of_decisions.counts["other_audio"] == 1
    assert of_decisions.lost == {"f" * 64: "track_0"}


@pytest.mark.fault(
    "decision log", "the recording is renamed", outcome="the decision counts for the new name"
)
def test_a_decision_follows_the_audio_to_its_new_name() -> None:
    in_queue = said("ana", QUEUE[2], track_id="old_name")
    outside = said("ana", proposed(0, 7), track_id="gone")
    of_decisions = labelled([in_queue, outside])
    assert [label.track_id for label in of_decisions.labels] == ["track_0", "track_1"]
    assert [row.labels for row in of_decisions.coverage] == [1, 1, 0]
    assert of_decisions.lost == {}


def test_labels_are_in_the_manifests_order_then_in_time() -> None:
    of_decisions = labelled([said("ana", proposal) for proposal in reversed(QUEUE)])
    assert [(label.track_id, label.recurrence) for label in of_decisions.labels] == [
        (proposal.track_id, proposal.recurrence) for proposal in QUEUE
    ]
