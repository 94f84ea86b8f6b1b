"""Leaves of trees, and which of them differ."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.share.compare.leaves import ABSENT, LeafChange, changes, leaves, value_at

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
TREES = st.recursive(
    SCALARS | st.lists(SCALARS, max_size=3),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=4),
)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": float("nan")}, {"a": float("nan")}, []),
        ({"a": 1}, {"a": True}, [LeafChange(("a",), 1, True)]),
        ({"a": None}, {}, [LeafChange(("a",), None, ABSENT), LeafChange((), ABSENT, {})]),
        ({"a": {"b": []}}, {"a": {"b": [0]}}, [LeafChange(("a", "b"), [], [0])]),
        (ABSENT, {"a": 1}, [LeafChange(("a",), ABSENT, 1)]),
        (ABSENT, ABSENT, []),
        (3, 4, [LeafChange((), 3, 4)]),
    ],
)
def test_what_differs_is_found(old: Any, new: Any, found: list[LeafChange]) -> None:
    assert sorted(map(repr, changes(old, new))) == sorted(map(repr, found))


def test_an_item_of_a_list_is_found_by_its_name() -> None:
    old = {"hooks": [{"name": "a", "k": 16}, {"name": "b", "k": 16}]}
    new = {"hooks": [{"name": "new", "k": 1}, {"name": "a", "k": 16}, {"name": "b", "k": 32}]}
    assert changes(old, new) == [
        LeafChange(("hooks", "new", "name"), ABSENT, "new"),
        LeafChange(("hooks", "new", "k"), ABSENT, 1),
        LeafChange(("hooks", "b", "k"), 16, 32),
    ]


def test_items_without_names_are_found_by_their_place() -> None:
    assert changes([{"x": 1}, {"x": 2}], [{"x": 1}, {"x": 3}]) == [LeafChange(("1", "x"), 2, 3)]


@given(TREES)
def test_every_leaf_is_where_its_path_leads(tree: Any) -> None:
    for path, value in leaves(tree):
        assert repr(value_at(tree, path)) == repr(value)


@given(TREES, TREES)
def test_leaves_that_are_not_named_are_the_same(old: Any, new: Any) -> None:
    named = {change.path for change in changes(old, new)}
    before = {path: repr(value) for path, value in leaves(old) if path not in named}
    after = {path: repr(value) for path, value in leaves(new) if path not in named}
    assert before == after
