"""Values as text: rounded, but never the same for two that differ."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.share.compare.leaves import ABSENT, same
from leitmotif.share.compare.values import (
    POINTS,
    NumberFormat,
    difference,
    form_of,
    separate,
    text,
    texts,
)

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())
)


@given(SCALARS, SCALARS, st.sampled_from([NumberFormat(), POINTS, NumberFormat(3)]))
def test_two_values_that_differ_have_two_texts(old: Any, new: Any, form: NumberFormat) -> None:
    if not same(old, new) and type(old) is type(new):
        before, after = texts(old, new, form)
        assert before != after


@pytest.mark.parametrize(
    ("old", "new", "form", "shown"),
    [
        (0.7417, 0.5, NumberFormat(2), ("0.74", "0.50")),
        (0.49951, 0.49953, NumberFormat(2), ("0.49951", "0.49953")),
        (434, 12345, NumberFormat(), ("434", "12,345")),
        (math.nan, 1.0, NumberFormat(), ("NaN", "1")),
        (math.inf, -math.inf, NumberFormat(), ("Infinity", "-Infinity")),
        (None, True, NumberFormat(), ("null", "true")),
        (ABSENT, "foresight", NumberFormat(), ("-", "foresight")),
        (1, 1.0, NumberFormat(), ("1", "1.0")),
        ([1, 2], [1], NumberFormat(), ("[1, 2]", "[1]")),
    ],
)
def test_values_read_as_they_are_printed(
    old: Any, new: Any, form: NumberFormat, shown: tuple[str, str]
) -> None:
    assert texts(old, new, form) == shown


def test_an_interval_is_one_text_with_what_else_changed() -> None:
    old = {"mean": 6.25, "low": -8.67, "high": 23.96, "n": 16, "p": 1.0, "changed": 1}
    new = {"mean": 56.25, "low": 24.8, "high": 76.62, "n": 16, "p": 0.004, "changed": 9}
    assert texts(old, new, POINTS) == (
        "+6.2 (-8.7 to 24.0), changed 1, p 1",
        "+56.2 (24.8 to 76.6), changed 9, p 0.004",
    )
    assert difference(old, new, POINTS) == "+50.0 points"
    assert separate(old, new)
    assert not separate(old, old)
    assert not separate(old, {"mean": 99.0})


def test_all_numbers_of_an_interval_have_the_same_digits() -> None:
    old, new = {"mean": 0.5, "low": 0.41, "high": 0.6}, {"mean": 0.5, "low": 0.412, "high": 0.6}
    assert texts(old, new, NumberFormat(2)) == ("0.500 (0.410 to 0.600)", "0.500 (0.412 to 0.600)")


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [(0.1, 0.3, "+0.2"), (3, 1, "-2"), (1.0, 1.0, "0"), (None, 1, ""), (True, 1, ""), ("a", 1, "")],
)
def test_differences_have_a_sign(old: Any, new: Any, shown: str) -> None:
    assert difference(old, new) == shown


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_no_difference_to_what_is_no_number(odd: float) -> None:
    assert difference(odd, 1.0) == ""


def test_long_texts_are_shown_where_they_differ() -> None:
    old, new = texts("a" * 300 + "x", "a" * 300 + "y")
    assert old.removesuffix("x") == new.removesuffix("y")
    assert len(old) < 120
    beginning, _ = texts("b" * 300, "c" * 300)
    assert beginning.endswith("… (300 characters)")
    assert text("d" * 300).startswith("d" * 60)


def test_of_long_lists_only_what_differs_is_shown() -> None:
    items = [f"source_artifacts.{name}" for name in ("bit_rate", "channels", "clipped", "silence")]
    old, new = texts(items, ["track_length.seconds", *items])
    assert old == "all of the other … (4 items)"
    assert new == "track_length.seconds … (5 items)"


def test_units_are_those_of_the_nearest_known_name() -> None:
    assert form_of(("carriers", "planner", "layers.0.residual")) == POINTS
    assert form_of(("leads", "planner", "layers.0.residual")).unit == " s"
    assert form_of(("unknown",)) == NumberFormat()
