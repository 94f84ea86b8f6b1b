"""No sentence contradicts its numbers, whatever was measured: findings by the true rules."""

import re
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif.causal.experiment.effects import effect_of
from leitmotif.causal.experiment.outlook import OpeningCounts
from leitmotif.causal.possible import MOST, possible
from leitmotif.causal.verdict import Evidence, VerdictRules, overall, verdict
from leitmotif.claims import Claims
from leitmotif.intervals import Interval
from leitmotif.report.sentences import (
    OF_CANDIDATES,
    TITLES,
    headline,
    in_short,
    of_candidate,
    of_model,
    of_probes,
)
from leitmotif.report.track_sentences import of_openings, of_recall, of_unsearched
from leitmotif.report.words import MINUS
from leitmotif.tables.effects import VerdictRow
from leitmotif.tables.interval import IntervalRow
from tests.tables.made import interval
from tests.tables.made import verdict as verdict_row

CLAIMS = Claims.of_horizons([[1, 3], [5, 7]], minimum_seconds=5.0, alpha=0.05)
ABSENT = re.compile(
    r"no effect (of|was)|neither a prediction nor an effect|nothing (moves|is moved)|moves nothing"
    r"|has no effect|shows nothing",
    re.IGNORECASE,
)
"""Words that say that something was looked for in enough pieces and is not there."""
TOO_FEW = re.compile(r"too few|so few", re.IGNORECASE)


def row_of(changes: np.ndarray) -> IntervalRow | None:
    """The interval of pieces' changes, as the stage makes it."""
    if len(changes) < 2:
        return None
    return effect_of({str(n): float(x) for n, x in enumerate(changes)}, limits=MOST).row(2)


def half(row: IntervalRow | None) -> Interval | None:
    return None if row is None else row.interval


@st.composite
def findings(draw: st.DrawFn) -> VerdictRow:
    """A candidate with pieces that change or do not, judged by the rules themselves."""
    gaining, losing = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    tried = draw(st.sampled_from([1, 5, 20]))
    moves = st.sampled_from([-100.0, 0.0, 100.0]) | st.just(draw(st.sampled_from([0.0, 100.0])))
    changes = np.array(draw(st.lists(moves, min_size=gaining + losing, max_size=gaining + losing)))
    control = np.array([draw(st.sampled_from([0.0, 0.0, 100.0])) for _ in changes])
    control = np.clip(control, changes - 100, changes + 100)
    effect, over = row_of(changes), row_of(changes - control)
    gained, lost = row_of(changes[:gaining]), row_of(changes[gaining:])
    rules = VerdictRules(CLAIMS, tried=tried, similarity=0.8)
    likeness = draw(st.sampled_from([0.99, 0.5]))
    p = None if effect is None or over is None else max(effect.p or 0.0, over.p or 0.0)
    clear, still = Interval(90, 80, 100), Interval(0, -5, 5)
    evidence = Evidence(
        decodable=tuple(draw(st.lists(st.sampled_from([1.0, 5.0]), max_size=2))),
        ahead=half(effect),
        over_controls=half(over),
        cue=draw(st.sampled_from([clear, still, None])),
        onset=draw(st.sampled_from([clear, still, None])),
        similarity=Interval(likeness, likeness, likeness),
        p=p,
        gained=half(gained),
        lost=half(lost),
        gaining=gaining,
        losing=losing,
        lead=draw(st.sampled_from([None, 0.0, 5.0])),
        exchanged=draw(st.booleans()),
    )
    return verdict_row(
        verdict=verdict(evidence, rules),
        possible=possible(gaining, losing, rules),
        effect=effect,
        over_controls=over,
        gained=gained,
        lost=lost,
    )


def is_clear(row: IntervalRow | None) -> bool:
    return row is not None and (row.low > 0 or row.high < 0)


def could_count(finding: VerdictRow) -> bool:
    assert finding.possible is not None
    return finding.possible.least is not None


@given(findings())
@settings(max_examples=150, deadline=None)
def test_no_sentence_on_a_candidate_contradicts_its_numbers(finding: VerdictRow) -> None:
    said = of_candidate(finding)
    assert finding.possible is not None
    assert "{" not in said
    if ABSENT.search(said) and not TOO_FEW.search(said):
        assert not is_clear(finding.effect), said
        assert could_count(finding) or finding.verdict == "local", said
        assert "would be found in 80 %" in said, "what could have been found is said beside it"
    if TOO_FEW.search(said):
        assert not could_count(finding), said
        n = finding.possible.gaining + finding.possible.losing
        counted = f"{n} piece" if n else "there is none"
        assert counted in said, "the number of pieces is that which was measured"
    if finding.effect is not None and f"({finding.effect.low:.1f}".replace("-", MINUS) in said:
        assert f"{finding.effect.n} piece" in said
        assert f"p {finding.effect.p:.3g}" in said
    if "changes whether it does" in said:
        assert finding.verdict == "foresight"
        assert finding.effect is not None
        assert finding.effect.low > 0
    if "exceeds" in said and "p-value" in said:
        largest = max(row.p or 0.0 for row in (finding.effect, finding.over_controls) if row)
        assert largest > finding.possible.level


@given(st.lists(findings(), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_no_sentence_on_a_model_contradicts_its_candidates(rows: list[VerdictRow]) -> None:
    conclusion = overall([row.verdict for row in rows])
    words, possibly, of = of_model(conclusion, rows)
    said = f"{words} {possibly}"
    if ABSENT.search(said) and conclusion != "unknown":
        assert not any(is_clear(row.effect) for row in rows), said
    untold = [row for row in rows if row.verdict == "unknown"]
    if conclusion != "foresight":
        assert bool(TOO_FEW.search(said)) == bool(untold), said
    if untold and len(untold) < len(rows) and conclusion != "foresight":
        assert f"of {len(untold)} of the {len(rows)} that were tried" in said
    if "there is none in which" in said:
        assert not any(row.possible.gaining + row.possible.losing for row in untold if row.possible)
    if possibly:
        assert of is not None
        assert of.possible is not None
        assert f"{of.possible.gaining + of.possible.losing} piece" in possibly
        assert (
            ("no effect can count" in possibly)
            == (of.verdict == "unknown")
            == (not could_count(of))
        )
    causes = {"foresight", "causal, not decoded", "just in time"}
    if "looks back" in said:
        assert conclusion == "look-back"
        assert not causes & {row.verdict for row in rows}, said
    for row in rows:
        of_one = of_candidate(row)
        assert "model" not in of_one, "what the model does is said of all its candidates"
        if "is read again" in of_one:
            assert row.verdict == "look-back"
            assert "or carried by something else" in of_one
    above = headline(rows)
    assert (above is None) == (conclusion == "foresight")
    if above is not None and all(not could_count(row) for row in rows):
        assert "No finding: nothing" not in above or any(row.verdict != "unknown" for row in rows)
    if above is not None:
        assert bool(TOO_FEW.search(above)) == bool(untold), above


def test_what_a_group_means_says_no_more_than_the_rules_do() -> None:
    """Only of look-back do the rules ask that the effect ahead is not clear of 0."""
    for name, (_, meaning) in TITLES.items():
        assert not ABSENT.search(meaning) or name == "unknown", name
        assert "the model " not in meaning.replace("the model, over all that was tried", "")
    assert set(TITLES) == set(OF_CANDIDATES)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"effect": interval(25.0, 22.0), "over_controls": interval(5.0, 20.0)},
            "under its control",
        ),
        ({"effect": interval(-50.0, 20.0)}, "away from what the source would do"),
        ({"over_controls": interval(80.0), "gained": interval(0.0, 9.0)}, "not clearly both ways"),
    ],
)
def test_an_effect_that_is_no_finding_says_why(changed: dict[str, IntervalRow], says: str) -> None:
    rules = VerdictRules(CLAIMS, tried=1, similarity=0.8)
    found = verdict_row(verdict="decodable, not causal", possible=possible(8, 8, rules), **changed)
    said = of_candidate(found)
    assert says in said
    assert not ABSENT.search(said)


def test_too_few_pieces_is_another_sentence_than_none() -> None:
    rules = VerdictRules(CLAIMS, tried=9, similarity=0.8)
    effect = IntervalRow(mean=33.3, low=-20.0, high=80.0, p=1.0, n=3, changed=1)
    few = verdict_row(verdict="unknown", possible=possible(2, 1, rules), effect=effect)
    none = verdict_row(verdict="none", possible=possible(8, 8, rules), effect=effect)
    assert "Too few pieces to tell: in 3 pieces (2 that lack the return, 1 that has it)" in (
        of_candidate(few)
    )
    assert "No effect of changing it ahead of the return was found" in of_candidate(none)
    assert "no change of less than 56.2 points could count" in of_candidate(none)
    assert in_short(None, None) == "too few pieces to tell"


@given(
    st.floats(-0.5, 1),
    st.floats(0, 0.5),
    st.none() | st.floats(0, 3),
    st.booleans(),
)
def test_probes_say_what_could_have_been_decodable(
    mean: float, reach: float, least: float | None, decodable: bool
) -> None:
    row = IntervalRow(mean=mean, low=mean - reach, high=mean + reach, p=0.5, n=14)
    before, shown, after = of_probes(row, least, "layers.1.residual", decodable=decodable)
    assert "14 tracks" in shown
    assert ("No site is decodable" in before) != decodable
    if "None of less than" in after:
        assert least is not None
        assert mean < least <= 1
        assert not decodable
    if least is not None and least > 1 and not decodable:
        assert after == ". With so few tracks it would have to exceed 1, and it cannot."


def test_what_was_not_listened_to_or_searched_is_not_called_absent() -> None:
    assert of_recall(None) is None
    assert of_recall(IntervalRow(mean=0.8, low=0.6, high=0.9, n=0)) is None
    assert of_recall(IntervalRow(mean=0.8, low=0.6, high=0.9, n=20)) == (
        "0.80 (0.60 to 0.90; 20 tracks)"
    )
    tried = OpeningCounts(recordings=1, differing=0, openings=8, returning=8)
    said = of_openings(tried)
    assert "".join(text for text, _ in said) == (
        "The motif returned after 8 of 8 openings of 1 recording. An effect can show in 0 of "
        "these: where the motif returns after some openings and not after others."
    )
    for text, field in said:
        assert not field or text.split()[0] == str(getattr(tried, field))
    assert of_unsearched(100.0, 100.0, 0) == "The recordings were searched from beginning to end."
    assert of_unsearched(600.0, 300.0, 2).startswith("50 % of the sound was not searched: 2 rec")


def test_the_headline_names_the_models_of_which_too_little_is_known() -> None:
    rows = [
        verdict_row(model=model, verdict=name)
        for model, name in (
            ("planner", "unknown"),
            ("planner", "unknown"),
            ("reader", "unknown"),
            ("reader", "none"),
            ("blind", "none"),
        )
    ]
    assert (
        "nothing that was tried is foresight. Too few pieces were continued to tell of all that "
        "was tried in planner, and of some of what was tried in reader. Everything"
    ) in (headline(rows) or "")


def test_every_verdict_has_a_sentence_for_whatever_was_measured() -> None:
    for name, effect in product(OF_CANDIDATES, (None, interval(0.0, 9.0), interval(50.0))):
        assert of_candidate(verdict_row(verdict=name, effect=effect))
