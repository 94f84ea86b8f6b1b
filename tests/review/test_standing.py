"""What stands after undoing, and what reviewers agree on."""

from hypothesis import given
from hypothesis import strategies as st

from leitmotif.review.standing import by_pair, standing
from leitmotif.tables.decisions import Decision, Entry
from tests.review.made import decision, undo


@given(
    st.lists(st.tuples(st.sampled_from("ud"), st.sampled_from(["ana", "ben"]), st.integers(0, 3)))
)
def test_an_undo_takes_back_exactly_what_it_names(
    actions: list[tuple[str, str, int]],
) -> None:
    entries: list[Entry] = []
    stack: dict[tuple[str, int], list[Decision]] = {}
    for action, reviewer, number in actions:
        decided = stack.setdefault((reviewer, number), [])
        if action == "d":
            decided.append(decision(reviewer, number))
            entries.append(decided[-1])
        elif decided:
            entries.append(undo(decided.pop()))
    expected = {id(decided[-1]) for decided in stack.values() if decided}
    assert {id(entry) for entry in standing(entries)} == expected


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
