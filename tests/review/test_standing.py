"""What stands after undoing, and what reviewers agree on."""

from hypothesis import given
from hypothesis import strategies as st

from leitmotif.review.standing import by_pair, standing, standing_listenings
from leitmotif.tables.decisions import Decision, Entry, Listening
from tests.review.made import decision, listening, undo


@given(
    st.lists(st.tuples(st.sampled_from("dlu"), st.sampled_from(["ana", "ben"]), st.integers(0, 3)))
)
def test_an_undo_takes_back_exactly_what_it_names(
    actions: list[tuple[str, str, int]],
) -> None:
    entries: list[Entry] = []
    stack: dict[tuple[str, int], list[Decision | Listening]] = {}
    for action, reviewer, number in actions:
        said = stack.setdefault((reviewer, number), [])
        if action != "u":
            said.append(
                decision(reviewer, number) if action == "d" else listening(reviewer, number)
            )
            entries.append(said[-1])
        elif said:
            entries.append(undo(said.pop()))
    # Of a pair and of a stretch one verdict stands, the last.
    last = {
        (entry.reviewer, entry.queue, entry.pair): entry
        for said in stack.values()
        for entry in said
    }
    expected = {id(entry) for entry in last.values()}
    stands = [*standing(entries), *standing_listenings(entries)]
    assert {id(entry) for entry in stands} == expected
    assert not any(isinstance(entry, Listening) for entry in standing(entries))


def test_nobody_can_undo_for_another() -> None:
    made = decision("ana")
    assert standing([made, undo(made, reviewer="ben")]) == [made]


def test_a_second_decision_settles_a_disagreement() -> None:
    first = [decision("ana", verdict="positive"), decision("ben", verdict="negative")]
    assert by_pair(first)[first[0].pair].verdict is None
    second = decision("ana", verdict="negative", queue="disagreements")
    settled = by_pair([*first, second])[first[0].pair]
    assert settled.verdict == "negative"
    assert settled.first == first
    contested = decision("ben", verdict="positive", queue="disagreements")
    assert by_pair([*first, second, contested])[first[0].pair].verdict is None
