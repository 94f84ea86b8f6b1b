"""What may be said of a model's probes: one rule for tables, metrics and interventions."""

import pytest

from leitmotif.tables.interval import IntervalRow
from leitmotif.tables.probes import ProbeRow, foresight
from tests.tables.made import probe


def interval(low: float) -> IntervalRow:
    return IntervalRow(mean=0.5, low=low, high=0.9)


def cell(p: float, low: float, over: float | None = None) -> ProbeRow:
    beyond = None if over is None else interval(over)
    return probe(p=p, partial_r2=interval(low), over_random_weights=beyond)


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (cell(0.01, 0.1, 0.1), True),
        (cell(0.01, 0.1), True),
        (cell(0.03, 0.1, 0.1), False),
        (cell(0.01, -0.1, 0.1), False),
        (cell(0.01, 0.1, -0.1), False),
    ],
)
def test_foresight_asks_for_all_three(made: ProbeRow, found: bool) -> None:
    rows = [made, probe(site="layers.3.residual", p=1.0, partial_r2=interval(-1.0))]
    assert (foresight(rows, minimum_seconds=5, alpha=0.05) is made) is found
    assert foresight(rows, minimum_seconds=6, alpha=0.05) is None


def test_of_several_sites_the_one_that_shows_most_is_named() -> None:
    more = IntervalRow(mean=0.7, low=0.6, high=0.8)
    rows = [cell(0.01, 0.1), probe(site="layers.3.residual", p=0.01, partial_r2=more)]
    assert foresight(rows, minimum_seconds=5, alpha=0.05) is rows[1]
