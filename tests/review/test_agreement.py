"""Cohen's kappa against scikit-learn's, and what it counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import cohen_kappa_score

from leitmotif.review.agreement import agreements, as_text, cohen_kappa
from leitmotif.tables.decisions import VERDICTS, Decision
from tests.review.made import decision


def decided(reviewer: str, verdicts: list[int], **fields: str) -> list[Decision]:
    return [
        decision(reviewer, number, VERDICTS[verdict], **fields)
        for number, verdict in enumerate(verdicts)
    ]


@given(arrays(np.int64, (4, 4), elements=st.integers(0, 20)))
def test_kappa_is_that_of_scikit_learn(confusion: np.ndarray) -> None:
    first, other = (np.repeat(index.ravel(), confusion.ravel()) for index in np.indices((4, 4)))
    kappa = float(cohen_kappa(confusion))
    if min(len({*first}), len({*other})) < 2:
        assert np.isnan(kappa), "one side never varies, so that agreement is chance"
    else:
        assert kappa == pytest.approx(cohen_kappa_score(first, other), abs=1e-12)


def test_two_reviewers_are_compared_on_what_both_decided() -> None:
    ana = decided("ana", [0, 0, 1, 1, 2, 3])
    ben = decided("ben", [0, 1, 1, 1, 2])
    (agreement,) = agreements([*ana, *ben])
    assert agreement.reviewers == ("ana", "ben")
    assert agreement.n == 5
    assert agreement.observed == pytest.approx(0.8)
    assert agreement.confusion[0].tolist() == [1, 1, 0, 0]
    assert agreement.kappa.mean == pytest.approx(
        cohen_kappa_score([0, 0, 1, 1, 2], [0, 1, 1, 1, 2]), abs=1e-12
    )
    assert agreement.kappa_positive.mean == pytest.approx(
        cohen_kappa_score([1, 1, 0, 0, 0], [1, 0, 0, 0, 0]), abs=1e-12
    )
    assert agreement.kappa.low is not None
    assert agreement.kappa.high is not None
    assert agreement.kappa.low <= agreement.kappa.mean <= agreement.kappa.high
    text = as_text([agreement])
    assert "ana and ben: 5 items, the same verdict on 80.0%" in text
    assert [line.split() for line in text.splitlines()][5] == ["positive", "1", "1", "0", "0"]


def test_a_reviewer_who_never_varies_has_no_kappa_and_is_named() -> None:
    (one,) = agreements(decided("ana", [0, 0, 0, 0]) + decided("ben", [0, 1, 0, 2]))
    assert (one.kappa.mean, one.kappa_positive.mean) == (None, None)
    assert as_text([one]).count("not defined: ana always said positive\n") == 2
    assert "ben always" not in as_text([one])


def test_decisions_that_knew_of_each_other_do_not_count() -> None:
    first = decided("ana", [0, 0, 1]) + decided("ben", [0, 1, 1])
    settled = decided("ben", [0, 0, 1], queue="disagreements")
    assert agreements([*first, *settled])[0].confusion.tolist() == (
        agreements(first)[0].confusion.tolist()
    )


def test_reviewers_who_guess_agree_by_chance_only() -> None:
    random = np.random.default_rng(0)
    guesses = [list(random.integers(4, size=2000)) for _ in range(2)]
    (agreement,) = agreements(decided("ana", guesses[0]) + decided("ben", guesses[1]))
    assert agreement.kappa.mean == pytest.approx(0, abs=0.05)


def test_kappa_is_not_defined_without_variety() -> None:
    (same,) = agreements(decided("ana", [0, 0, 0]) + decided("ben", [0, 0, 0]))
    assert (same.observed, same.kappa.mean) == (1.0, None)
    assert "not defined: ana always said positive and ben always said positive" in as_text([same])
    (none,) = agreements([decision("ana", 1), decision("ben", 2)])
    assert (none.n, none.observed, none.kappa.mean) == (0, None, None)
    assert "no item in common" in as_text([none])
    assert agreements(decided("ana", [0, 1])) == []
