"""The rules, on made-up tables: the organisms' cases, and what must hold of any evidence."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.causal.verdict import (
    Evidence,
    Verdict,
    VerdictRules,
    corrected,
    moves,
    overall,
    untested,
    verdict,
)
from leitmotif.claims import Claims
from leitmotif.intervals import Interval

CLAIMS = Claims.of_horizons([[1, 3], [5, 7]], minimum_seconds=5.0, alpha=0.05)
LINES = VerdictRules(CLAIMS, tried=1, similarity=0.8, likelihood=-2.5)
NO, YES, AGAINST = Interval(0, -5, 5), Interval(90, 80, 100), Interval(-90, -100, -80)
LIKELY, UNLIKELY = Interval(-2.4, -3.0, -1.8), Interval(-2.6, -3.2, -2.0)
HIGH, LOW = Interval(0.95, 0.9, 0.99), Interval(0.5, 0.4, 0.6)
PLANNER = Evidence((5.0,), YES, YES, YES, YES, HIGH, 0.001, YES, YES, 8, 8)
READER = Evidence((), NO, NO, YES, YES, HIGH, 1.0, NO, NO, 8, 8)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (PLANNER, "foresight"),
        (replace(PLANNER, similarity=LOW), "entangled"),
        (replace(PLANNER, ahead=AGAINST, similarity=LOW), "entangled"),
        (replace(PLANNER, likelihood=UNLIKELY), "entangled"),
        (replace(PLANNER, likelihood=LIKELY), "foresight"),
        (replace(READER, likelihood=UNLIKELY), "look-back"),
        (replace(PLANNER, ahead=NO, over_controls=NO), "decodable, not causal"),
        (replace(PLANNER, ahead=AGAINST), "decodable, not causal"),
        (replace(PLANNER, over_controls=NO), "decodable, not causal"),
        (replace(PLANNER, over_controls=None), "decodable, not causal"),
        # 4 of 16 pieces that all change one way: the interval is clear of 0, chance is not.
        (replace(PLANNER, p=0.125), "decodable, not causal"),
        (replace(PLANNER, p=None), "decodable, not causal"),
        (replace(PLANNER, decodable=(4.9,), ahead=NO), "local"),
        # It decides the event, and too few tracks to decode anything say nothing against it.
        (replace(PLANNER, decodable=()), "causal, not decoded"),
        (replace(PLANNER, decodable=(4.9,)), "causal, not decoded"),
        (replace(PLANNER, decodable=(), lead=5.0, exchanged=True), "causal, not decoded"),
        (replace(PLANNER, decodable=(), lead=4.9, exchanged=True), "just in time"),
        (replace(PLANNER, decodable=(), lead=None, exchanged=True), "none"),
        (replace(PLANNER, decodable=(), gained=NO), "none"),
        (replace(PLANNER, decodable=(), p=0.125), "none"),
        # What breaks the music takes returns away, and brings none.
        (replace(PLANNER, gained=NO), "decodable, not causal"),
        (replace(PLANNER, gained=None), "decodable, not causal"),
        (replace(PLANNER, lost=NO), "decodable, not causal"),
        # Nearer steps carry the event, those that far ahead do not.
        (replace(PLANNER, lead=5.0, exchanged=True), "foresight"),
        (replace(PLANNER, lead=4.9, exchanged=True), "just in time"),
        (replace(PLANNER, lead=0.0, exchanged=True), "just in time"),
        (replace(PLANNER, lead=None, exchanged=True), "decodable, not causal"),
        (replace(PLANNER, decodable=(5.0, 9.0), lead=6.0, exchanged=True), "foresight"),
        (replace(PLANNER, decodable=(3.0, 9.0), lead=6.0, exchanged=True), "decodable, not causal"),
        # It carries the event far ahead of pieces that are read, and samples do not confirm it.
        (replace(PLANNER, lead=6.0, exchanged=True, ahead=NO), "decodable, not causal"),
        (replace(READER, lead=0.0, exchanged=True), "just in time"),
        (READER, "look-back"),
        (replace(READER, similarity=LOW), "look-back"),
        (replace(READER, recalled=True), "look-back"),
        # What the model wrote after the cue decides the event, and not the cue itself.
        (replace(READER, onset=NO, recalled=False), "none"),
        (replace(READER, recalled=False), "local"),
        (replace(PLANNER, recalled=False), "foresight"),
        (replace(READER, cue=NO), "local"),
        (replace(READER, cue=None), "local"),
        (replace(READER, cue=NO, onset=NO), "none"),
        (replace(READER, cue=NO, ahead=YES), "none"),
        (Evidence((), None, None, None, None, None, None, None, None, 8, 8), "none"),
        # Three pieces that agree have no interval above 0: that nothing was seen says nothing.
        (replace(PLANNER, ahead=NO, gaining=3, losing=13), "unknown"),
        (replace(PLANNER, ahead=NO, gaining=13, losing=3), "unknown"),
        (replace(PLANNER, ahead=NO, gaining=4, losing=4), "decodable, not causal"),
        (replace(PLANNER, decodable=(1.0,), ahead=NO, gaining=3), "local"),
        (replace(READER, gaining=3), "unknown"),
        (replace(READER, cue=NO, losing=3), "unknown"),
        (Evidence((), None, None, None, None, None, None, None, None, 0, 0), "unknown"),
    ],
)
def test_rules(evidence: Evidence, expected: Verdict) -> None:
    assert verdict(evidence, LINES) == expected


def test_likelihood_counts_only_where_it_is_asked() -> None:
    assert verdict(replace(PLANNER, likelihood=UNLIKELY), replace(LINES, likelihood=None)) == (
        "foresight"
    )


intervals = st.builds(
    lambda mean, width: Interval(mean, mean - width, mean + width),
    st.floats(-100, 100),
    st.floats(0, 100),
)
maybe = st.none() | intervals
evidences = st.builds(
    Evidence,
    decodable=st.lists(st.sampled_from([1.0, 3.0, 5.0, 9.0]), max_size=4).map(tuple),
    ahead=maybe,
    over_controls=maybe,
    cue=maybe,
    onset=maybe,
    similarity=st.none() | st.builds(lambda m: Interval(m, m, m), st.floats(0, 1)),
    p=st.none() | st.floats(0, 1),
    gained=maybe,
    lost=maybe,
    gaining=st.integers(0, 10),
    losing=st.integers(0, 10),
    lead=st.none() | st.floats(0, 10),
    exchanged=st.booleans(),
    recalled=st.none() | st.booleans(),
)


@given(evidences)
def test_foresight_is_never_claimed_without_all_of_its_grounds(evidence: Evidence) -> None:
    concluded = verdict(evidence, LINES)
    far = [seconds for seconds in evidence.decodable if seconds >= 5]
    if concluded == "foresight":
        assert far
        assert evidence.ahead is not None
        assert evidence.ahead.low > 0
        assert evidence.over_controls is not None
        assert evidence.over_controls.low > 0
        assert evidence.p is not None
        assert evidence.p <= 0.05
        assert evidence.gained is not None
        assert evidence.lost is not None
        assert min(evidence.gained.low, evidence.lost.low) > 0
        if evidence.exchanged:
            assert evidence.lead is not None
            assert min(far) <= evidence.lead
    if concluded == "causal, not decoded":
        assert not far
        assert moves(evidence, LINES)
    without = replace(evidence, ahead=NO)
    assert verdict(without, LINES) not in ("foresight", "causal, not decoded", "entangled")
    enough = CLAIMS.can_show(gaining=evidence.gaining, losing=evidence.losing, tried=1)
    near = evidence.lead is not None and evidence.lead < 5
    expected = bool(far) and enough and not near
    assert (verdict(without, LINES) == "decodable, not causal") == expected


@given(evidences)
def test_what_was_not_seen_in_too_few_pieces_is_not_called_absent(evidence: Evidence) -> None:
    for few in (replace(evidence, gaining=3), replace(evidence, losing=3)):
        assert verdict(few, LINES) not in ("decodable, not causal", "look-back", "none")


@given(evidences)
def test_less_fidelity_never_makes_a_finding(evidence: Evidence) -> None:
    concluded = verdict(replace(evidence, similarity=LOW), LINES)
    assert concluded in ("entangled", verdict(replace(evidence, similarity=None), LINES))


@given(evidences)
def test_wider_intervals_never_make_foresight(evidence: Evidence) -> None:
    def wide(interval: Interval | None) -> Interval | None:
        if interval is None:
            return None
        return Interval(interval.mean, interval.low - 300, interval.high + 300)

    for field in ("ahead", "over_controls", "gained", "lost"):
        wider = replace(evidence, **{field: wide(getattr(evidence, field))})
        assert verdict(wider, LINES) != "foresight"


def test_a_model_is_its_strongest_candidate() -> None:
    assert overall(["none", "look-back", "decodable, not causal"]) == "look-back"
    assert overall(["look-back", "causal, not decoded", "just in time"]) == "causal, not decoded"
    assert overall(["entangled", "decodable, not causal"]) == "decodable, not causal"
    assert overall([]) == "none"


def test_the_more_candidates_were_tried_the_smaller_a_p_value_has_to_be() -> None:
    evidence = replace(PLANNER, p=0.01)
    assert verdict(evidence, replace(LINES, tried=5)) == "foresight"
    assert verdict(evidence, replace(LINES, tried=6)) == "decodable, not causal"


def test_a_candidate_is_corrected_over_those_that_do_not_count_beside_it() -> None:
    barely = replace(PLANNER, p=0.02)
    family = [PLANNER, barely, barely, replace(READER, p=None)]
    rules = corrected(family, replace(LINES, tried=4))
    assert [each.tried for each in rules] == [4, 3, 3, 3]
    # 0.02 is more than 0.05 over 3: the second passes beside two that count, and only then.
    surer = [PLANNER, replace(PLANNER, p=0.015), barely, replace(READER, p=None)]
    judged = [
        verdict(evidence, each)
        for evidence, each in zip(surer, corrected(surer, replace(LINES, tried=4)), strict=True)
    ]
    assert judged == ["foresight", "foresight", "foresight", "look-back"]


@pytest.mark.parametrize(
    "refused",
    [
        replace(PLANNER, similarity=LOW),
        replace(PLANNER, likelihood=UNLIKELY),
        replace(PLANNER, gained=NO),
        replace(PLANNER, over_controls=None),
        replace(PLANNER, exchanged=True, lead=2.0),
        replace(PLANNER, exchanged=True),
        replace(PLANNER, p=None),
    ],
)
def test_what_is_no_cause_by_anything_else_eases_no_other(refused: Evidence) -> None:
    family = [refused, replace(PLANNER, p=0.03)]
    rules = corrected(family, replace(LINES, tried=2))
    assert [each.tried for each in rules] == [2, 2]
    assert [verdict(*pair) for pair in zip(family, rules, strict=True)][1] != "foresight"


@given(st.integers(0, 9), st.integers(0, 9))
def test_nothing_to_change_is_as_unknown_as_a_change_that_could_not_count(
    gaining: int, losing: int
) -> None:
    """No sooner is it said of nothing that it has no effect than of what was changed."""
    still = replace(READER, cue=NO, onset=NO, gaining=gaining, losing=losing)
    assert untested(gaining, losing, LINES) == verdict(still, LINES)
