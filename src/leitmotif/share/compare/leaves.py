"""Trees of JSON or YAML as leaves, and what differs between two of them.

A leaf is a scalar, a list of scalars, or an empty object. A list that holds objects is walked by
the names of its items (``NAMES``) if each has one of its own, otherwise by position.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Path = tuple[str, ...]
NAMES = ("name", "left_out", "site")
"""Fields that name an item of a list; the first that every item has counts."""


class Absent:
    """The type of ``ABSENT``."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()
"""The value of a leaf that one side does not have; null is a value."""


@dataclass(frozen=True)
class LeafChange:
    """A leaf that differs; one side may be ``ABSENT``."""

    path: Path
    old: Any
    new: Any


def leaves(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every leaf of a tree with its path, in the tree's order."""
    items = _items(tree)
    if items is None:
        yield path, tree
        return
    for key, value in items:
        yield from leaves(value, (*path, key))


def changes(old: Any, new: Any) -> list[LeafChange]:
    """The leaves that differ, in the new tree's order, then those that are gone.

    Numbers differ if their text does: 1 and 1.0 do, and NaN equals NaN.
    """
    before = {} if old is ABSENT else dict(leaves(old))
    after = {} if new is ABSENT else dict(leaves(new))
    changed = [
        LeafChange(path, before.get(path, ABSENT), value)
        for path, value in after.items()
        if path not in before or not same(before[path], value)
    ]
    gone = [LeafChange(path, value, ABSENT) for path, value in before.items() if path not in after]
    return changed + gone


def same(old: Any, new: Any) -> bool:
    """Whether two values are the same value of JSON or YAML."""
    return _text(old) == _text(new)


def value_at(tree: Any, path: Sequence[str]) -> Any:
    """What a tree holds at a path of ``leaves``, or at the beginning of one; or ``ABSENT``."""
    for key in path:
        if isinstance(tree, Mapping) and key in tree:  # not all of a large object for each leaf
            tree = tree[key]
        else:
            tree = dict(_items(tree) or ()).get(key, ABSENT)
    return tree


def _items(tree: Any) -> list[tuple[str, Any]] | None:
    """The parts of an object or of a list with objects; None for a leaf."""
    if isinstance(tree, Mapping):
        return [(str(key), value) for key, value in tree.items()] or None
    if not isinstance(tree, list) or not any(isinstance(item, Mapping) for item in tree):
        return None
    for field in NAMES:
        names = [item.get(field) if isinstance(item, Mapping) else None for item in tree]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return [(str(name), item) for name, item in zip(names, tree, strict=True)]
    return [(str(number), item) for number, item in enumerate(tree)]


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
