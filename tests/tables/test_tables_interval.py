"""Intervals as tables and metrics hold them."""

import pytest
from pydantic import ValidationError

from leitmotif.intervals import Interval
from leitmotif.tables.interval import IntervalRow, as_metric


def test_numbers_are_rounded_and_what_is_unknown_is_left_out() -> None:
    row = IntervalRow.of(Interval(0.123456789, -1.0, 1.0))
    assert as_metric(row) == {"mean": 0.12346, "low": -1.0, "high": 1.0}
    known = IntervalRow.of(Interval(0.5, 0.4, 0.6), 1, p=0.0012345, n=3)
    assert as_metric(known) == {"mean": 0.5, "low": 0.4, "high": 0.6, "p": 0.00123, "n": 3}
    assert as_metric(None) is None


def test_a_row_is_read_back_as_it_was() -> None:
    for row in (IntervalRow(mean=0.0, low=-1.0, high=1.0), IntervalRow(mean=0, low=0, high=0, n=2)):
        assert IntervalRow.model_validate_json(row.model_dump_json()) == row
        assert IntervalRow.of(row.interval, p=row.p, n=row.n) == row


@pytest.mark.fault(
    "table", "an interval that ends before it begins, or numbers out of range", outcome="refused"
)
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"low": 2.0}, "before it begins"),
        ({"p": 1.5}, "less than or equal to 1"),
        ({"p": -0.1}, "greater than or equal to 0"),
        ({"n": -1}, "greater than or equal to 0"),
        ({"n": 2**63}, "at most"),
        ({"mean": 1e101}, "at most"),
        ({"mean": float("nan")}, "finite"),
    ],
)
def test_an_interval_that_is_none_is_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        IntervalRow(**{"mean": 0.0, "low": -1.0, "high": 1.0, **wrong})
