"""Which decisions become labels, and what is known of a track."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.review.known import at_rate, known_spans
from leitmotif.review.labels import Labels, as_written, from_decisions
from leitmotif.tables.base import Span
from leitmotif.tables.decisions import Decision, JudgedSpan, Listening, pair_id, stretch_id
from leitmotif.tables.proposals import Proposal
from tests.review.made import decision, listening
from tests.tables.made import manifest_track, proposal_row

AUDIO = {f"track_{number}": f"{number}" * 64 for number in range(3)}
TRACKS = [
    manifest_track(track_id=name, path=f"audio/{name}.mp3", sha256=sha256, seconds=30)
    for name, sha256 in AUDIO.items()
]
MOTIF = Span(start_sample=0, samples=32000)


def proposed(track: int, place: int) -> Proposal:
    recurrence = Span(start_sample=(10 + place) * 32000, samples=32000)
    return proposal_row(
        track_id=f"track_{track}",
        motif=MOTIF,
        recurrence=recurrence,
        transposition=2,
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
        "proposed_recurrence": proposal.recurrence,
        "recurrence": JudgedSpan(start_sample=start, samples=samples, sha256="c" * 64),
        "transposition": 2,
    }
    return decision(reviewer, verdict=verdict, **(values | fields))


def heard(
    reviewer: str, track: int, said: str = "nothing_else", seconds: tuple[float, float] = (0, 30)
) -> Listening:
    start, end = (round(edge * 32000) for edge in seconds)
    stretch = Span(start_sample=start, samples=end - start)
    sha256 = AUDIO[f"track_{track}"]
    return listening(
        reviewer,
        verdict=said,
        track_id=f"track_{track}",
        audio_sha256=sha256,
        pair=stretch_id(sha256, 32000, stretch),
        stretch=JudgedSpan(**dict(stretch), sha256=None),
    )


def added(reviewer: str, track: int, seconds: float, verdict: str = "positive") -> Decision:
    """A return that the machine did not propose."""
    recurrence = Span(start_sample=round(seconds * 32000), samples=32000)
    return said(
        reviewer,
        proposed(track, 0),
        verdict,
        pair=pair_id(AUDIO[f"track_{track}"], 32000, MOTIF, recurrence),
        recurrence=JudgedSpan(**dict(recurrence), sha256=None),
        proposed_recurrence=recurrence,
        **dict.fromkeys(("proposal_id", "score", "p", "texture")),
    )


def labelled(
    decisions: list[Decision], min_reviewers: int = 1, listenings: Sequence[Listening] = ()
) -> Labels:
    return from_decisions(
        decisions,
        listenings,
        TRACKS,
        QUEUE,
        min_reviewers=min_reviewers,
        strengths=lambda labels: [0.25] * len(labels),
    )


def known(of_decisions: Labels) -> list[list[tuple[float, float]]]:
    """Known seconds of each track."""
    return [
        [
            (span.start_sample / row.sample_rate, (span.start_sample + span.samples) / 32000)
            for span in row.known
        ]
        for row in of_decisions.coverage
    ]


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


def test_what_nobody_listened_to_is_never_absent() -> None:
    """Neither where nothing was proposed, nor where all that was proposed is decided."""
    decisions = [said("ana", proposal, "negative") for proposal in QUEUE]
    of_decisions = labelled(decisions)
    assert known(of_decisions) == [[], [], []]
    assert [row.proposals for row in of_decisions.coverage] == [2, 2, 0]
    assert not any(row.complete for row in of_decisions.coverage)
    listened = labelled(decisions, listenings=[heard("ana", 0), heard("ana", 2)])
    assert known(listened) == [[(0, 30)], [], [(0, 30)]]
    assert [row.complete for row in listened.coverage] == [True, False, True]


@pytest.mark.parametrize("verdict", [None, "ambiguous", "disagreed"])
def test_where_a_pair_is_open_it_is_not_known_whether_it_returns(verdict: str | None) -> None:
    rest = [said("ana", proposal, "rejected") for proposal in QUEUE[1:]]
    if verdict == "disagreed":
        rest += [said("ana", QUEUE[0]), said("ben", QUEUE[0], "negative")]
    elif verdict:
        rest.append(said("ana", QUEUE[0], verdict))
    of_decisions = labelled(rest, listenings=[heard("ana", 0)])
    assert known(of_decisions)[0] == [(0, 10), (11, 30)]
    assert not of_decisions.coverage[0].complete
    assert of_decisions.coverage[0].pending == (verdict != "ambiguous")


def test_a_stretch_needs_as_many_listeners_as_are_asked_for_and_all_agree() -> None:
    settled = [said(name, proposal) for proposal in QUEUE for name in ("ana", "ben")]

    def of(*listenings: Listening) -> list[tuple[float, float]]:
        return known(labelled(settled, min_reviewers=2, listenings=listenings))[0]

    assert of(heard("ana", 0)) == []
    assert of(heard("ana", 0), heard("ana", 0, seconds=(5, 20))) == []  # one person twice
    assert of(heard("ana", 0), heard("ben", 0)) == [(0, 30)]
    assert of(heard("ana", 0), heard("ben", 0, seconds=(5, 20))) == [(5, 20)]
    unsure = heard("eva", 0, "cannot_tell", seconds=(10, 12))
    assert of(heard("ana", 0), heard("ben", 0), unsure) == [(0, 10), (12, 30)]


def test_a_return_that_a_person_added_is_a_label_with_the_strength_that_is_heard() -> None:
    of_decisions = labelled([added("ana", 0, 20.0)], listenings=[heard("ana", 2)])
    (label,) = of_decisions.labels
    assert label.recurrence.start_sample == 20 * 32000
    assert (label.strength, label.track_id) == (0.25, "track_0")
    assert of_decisions.counts["outside_queue"] == 1
    again = from_decisions(
        [added("ana", 0, 20.0)],
        [],
        TRACKS,
        QUEUE,
        min_reviewers=1,
        strengths=as_written(of_decisions.labels),
    )
    assert again.labels == of_decisions.labels


def test_an_added_pair_is_open_until_enough_reviewers_have_decided_it() -> None:
    pairs = [said(name, proposal, "negative") for proposal in QUEUE for name in ("ana", "ben")]
    both = [heard("ana", 0), heard("ben", 0)]
    of_decisions = labelled([*pairs, added("ana", 0, 20.0)], 2, both)
    assert known(of_decisions)[0] == [(0, 20), (21, 30)]
    assert of_decisions.coverage[0].pending == 1
    settled = [*pairs, added("ana", 0, 20.0), added("ben", 0, 20.0)]
    assert known(labelled(settled, 2, both))[0] == [(0, 30)]
    # Of a pair that nobody called a return nothing is left to ask.
    assert known(labelled([*pairs, added("ana", 0, 20.0, "negative")], 2, both))[0] == [(0, 30)]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ana", "ben", "eva"]),
            st.sampled_from(["nothing_else", "cannot_tell"]),
            st.tuples(st.integers(0, 29), st.integers(0, 29)).filter(
                lambda edge: edge[0] != edge[1]
            ),
        ),
        max_size=5,
    ),
    st.lists(st.tuples(st.integers(0, 25), st.integers(1, 4)), max_size=3),
    st.integers(1, 2),
)
def test_known_is_what_enough_people_heard_less_what_is_open(
    said_of: list[tuple[str, str, tuple[int, int]]], open_: list[tuple[int, int]], least: int
) -> None:
    """Second by second."""
    listenings = [
        heard(reviewer, 0, verdict, (min(edges), max(edges)))
        for reviewer, verdict, edges in said_of
    ]
    spans = [Span(start_sample=start, samples=samples) for start, samples in open_]
    found = known_spans(
        [row.model_copy(update={"sample_rate": 32000}) for row in listenings],
        [at_rate(span, 1, 32000) for span in spans],
        min_reviewers=least,
    )
    for second in range(30):
        heard_by = {
            (reviewer, verdict)
            for reviewer, verdict, edges in said_of
            if min(edges) <= second < max(edges)
        }
        expected = (
            len({reviewer for reviewer, _ in heard_by}) >= least
            and {verdict for _, verdict in heard_by} == {"nothing_else"}
            and not any(start <= second < start + samples for start, samples in open_)
        )
        middle = second * 32000 + 16000
        inside = [span.start_sample <= middle < span.start_sample + span.samples for span in found]
        assert sum(inside) == expected
    edges = [(span.start_sample, span.start_sample + span.samples) for span in found]
    assert all(a[1] < b[0] for a, b in pairwise(edges))


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
