"""Rows of tables: matched by their key, whatever either revision's row class was."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from leitmotif.share.compare.leaves import ABSENT
from leitmotif.share.compare.reading import Two, parse_rows
from leitmotif.share.compare.rows import as_table, table_change
from leitmotif.share.compare.terminal import plain
from leitmotif.tables.keys import KEYS, field_of, key_fields

PROBES = "data/probes.jsonl"
Rows = list[dict[str, Any]]


def change(old: Any, new: Any, path: str = PROBES) -> tuple[int, int, int, int]:
    found = table_change(Two(path, old, new, same_bytes=False))
    values = sum(row.changes for row in found.changed)
    return len(found.added), len(found.gone), len(found.changed), values


def probe(site: str, **fields: Any) -> dict[str, Any]:
    return {"model": "planner", "site": site, "horizon": "4-6s", **fields}


def test_rows_are_matched_by_their_key() -> None:
    old = [probe("a", p=1, r=1), probe("b", p=1, r=1), probe("c", p=1)]
    new = [probe("d", p=1), probe("b", p=2, r=2), probe("a", p=1, r=1)]
    assert change(old, new) == (1, 2 - 1, 1, 2)


def test_an_absent_table_has_no_rows() -> None:
    assert change(ABSENT, [probe("a")]) == (1, 0, 0, 0)
    assert change([probe("a")], ABSENT) == (0, 1, 0, 0)


def test_rows_of_an_older_class_lack_fields_of_the_key() -> None:
    old = [{"site": "a", "p": 1}, {"site": "b", "p": 1}]
    new = [probe("a", p=1), probe("b", p=2)]
    assert change(old, new) == (0, 0, 2, 5)


def test_rows_that_share_a_key_are_matched_if_equal_and_then_in_order() -> None:
    old = [probe("a", p=1), probe("a", p=2)]
    new = [probe("a", p=2), probe("a", p=3), probe("a", p=4)]
    assert change(old, new) == (1, 0, 1, 1)


def test_rows_without_a_key_are_added_and_gone() -> None:
    assert change([{"x": 1}, {"x": 2}], [{"x": 2}, {"x": 3}], "data/own.jsonl") == (1, 1, 0, 0)


def test_a_row_of_another_form_is_changed() -> None:
    old, new = probe("a", x={"n": {"name": "n"}}), probe("a", x=[{"name": "n"}])
    assert change([old], [new]) == (0, 0, 1, 1)


ROWS = st.lists(
    st.fixed_dictionaries(
        {"model": st.sampled_from("ab"), "site": st.sampled_from("xyz")},
        optional={"horizon": st.just("h"), "p": st.integers(0, 2) | st.none() | st.floats()},
    ),
    max_size=8,
)


@given(ROWS, ROWS)
def test_each_row_is_counted_once(old: Rows, new: Rows) -> None:
    added, gone, changed, _ = change(old, new)
    same = len(new) - added - changed
    assert same == len(old) - gone - changed
    assert same >= 0
    assert change(old, old) == (0, 0, 0, 0)


def test_the_caption_counts_and_the_first_rows_are_shown() -> None:
    old = [probe(str(number), p=0, q=0, r=0, s=0, t=0) for number in range(9)]
    new = [probe(str(number), p=1, q=1, r=1, s=1, t=1) for number in range(10)]
    table = as_table(table_change(Two(PROBES, old, new, same_bytes=False)))
    assert plain(table.caption) == "probes: 1 added, 9 changed of 10 rows (before: 9), 45 values"
    assert table.changes == 46
    first, second = table.rows[:2]
    assert [plain(cell) for cell in first.cells][:2] == ["planner · 9 · 4-6s", "added"]
    assert plain(second.cells[2]).endswith("and 2 more values")
    assert (second.changes, second.hidden) == (5, 2)
    # 4 of the rows that are shown have 2 hidden values each, the other 5 have 5.
    assert table.counted(5) == 4 * 2 + 5 * 5


def test_the_tables_of_this_repository_have_keys_without_repetition(repo_root: Path) -> None:
    stages = YAML(typ="safe").load(repo_root / "dvc.yaml")["stages"]
    outs = [
        path if isinstance(path, str) else next(iter(path))
        for stage in stages.values()
        for path in stage.get("outs", [])
    ]
    assert {path for path in outs if path.endswith(".jsonl")} == set(KEYS)
    for path, fields in KEYS.items():
        if not (repo_root / path).is_file():
            continue  # DVC keeps it
        rows = parse_rows((repo_root / path).read_text(encoding="utf-8"))
        assert key_fields(path, rows) == fields
        keys = [tuple(str(field_of(row, name)) for name in fields) for row in rows]
        assert len(set(keys)) == len(keys), path


@pytest.mark.parametrize("row", [{}, {"motif": 3}, {"motif": {}}])
def test_a_row_without_a_field_of_the_key_has_none(row: dict[str, Any]) -> None:
    assert key_fields("data/labels.jsonl", [row]) == ()


def test_a_row_is_named_by_its_key() -> None:
    span = {"motif": {"start_sample": 195840}, "recurrence": {"start_sample": 236800}}
    row = {"track_id": "track_0000200", "transposition": 0, **span}
    (found,) = table_change(Two("data/labels.jsonl", ABSENT, [row], same_bytes=False)).rows
    assert found.name == "track_0000200 · motif 195,840 · recurrence 236,800 · transposition 0"
