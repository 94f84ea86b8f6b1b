"""Tables, JSON and text: what is written is read, and errors point at the line."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from leitmotif.errors import LeitmotifError
from leitmotif.files import (
    read_json,
    read_table,
    read_text,
    sha256_file,
    sha256_json,
    write_json,
    write_table,
)
from leitmotif.tables.corpus import Exclusion


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    count: Annotated[int, Field(ge=0)]
    score: float | None
    tags: list[str]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_cannot_hold_are_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(LeitmotifError, match=rf"m\.json was not .*\n.*deep\.0\.r2 is {value}"):
        write_json(tmp_path / "m.json", {"deep": [{"r2": value}]})
    assert list(tmp_path.iterdir()) == []


def test_non_finite_field_leaves_the_old_table(tmp_path: Path) -> None:
    target = tmp_path / "t.jsonl"
    row = Row(name="a", count=1, score=1.0, tags=[])
    write_table(target, [row])
    with pytest.raises(LeitmotifError, match="row 2 holds what is not a number"):
        write_table(target, [row, row.model_copy(update={"score": float("nan")})])
    assert read_table(target, Row) == [row]


@pytest.mark.fault("table", "a row that cannot be written", outcome="the old table stays")
def test_a_failing_row_leaves_the_old_table(tmp_path: Path) -> None:
    target = tmp_path / "t.jsonl"
    write_table(target, [Row(name="a", count=1, score=None, tags=[])])
    before = target.read_bytes()

    def rows() -> Any:
        yield Row(name="b", count=2, score=None, tags=[])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(target, rows())
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.fault("table", "a bad row", outcome="named by file, line and field")
@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('{"name": "b", "count": -1, "score": null, "tags": []}', "count"),
        ('{"name": "b", "count": 1, "tags": []}', "score"),
        ('{"name": "b", "count": 1, "score": 0, "tags": [], "x": 1}', "x"),
        ('{"name": "b", "count": 1, "score": 0, "tags": ["a", 3]}', "tags.1"),
        ('{"name": "b", "cou', "the line"),
        ("", "the line"),
    ],
)
def test_a_bad_row_is_named_by_file_line_and_field(tmp_path: Path, line: str, field: str) -> None:
    target = tmp_path / "tracks.jsonl"
    good = '{"count": 1, "name": "a", "score": null, "tags": []}'
    target.write_text(f"{good}\n{line}\n{good}\n", encoding="utf-8")
    with pytest.raises(LeitmotifError) as caught:
        read_table(target, Row)
    assert f"{target}:2 is not a Row" in str(caught.value)
    assert str(caught.value.found).startswith(f"{field}: ")
    assert caught.value.expected == "an object with name, count, score, tags"


@pytest.mark.fault("table", "missing and torn files", outcome="named error")
def test_missing_and_torn_files_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LeitmotifError, match="dvc repro"):
        read_table(tmp_path / "none.jsonl", Row)
    with pytest.raises(LeitmotifError, match="does not exist"):
        read_json(tmp_path / "none.json")
    (tmp_path / "torn.json").write_text('{"a": 1')
    with pytest.raises(LeitmotifError, match=r"torn\.json is not JSON"):
        read_json(tmp_path / "torn.json")


ROWS = st.builds(
    Row,
    name=st.text(),
    count=st.integers(min_value=0, max_value=2**53),
    score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    tags=st.lists(st.text(max_size=5), max_size=3),
)


@given(rows=st.lists(ROWS, max_size=5, unique_by=repr))
def test_tables_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> None:
    target = tmp_path_factory.mktemp("table") / "t.jsonl"
    assert write_table(target, rows) == len(rows)
    assert read_table(target, Row) == rows
    text = target.read_bytes()
    assert text.count(b"\n") == max(len(rows), 1)
    for line in text.splitlines() if rows else []:
        keys = list(json.loads(line))
        assert keys == sorted(keys)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(value=JSON)
def test_json_round_trips(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    target = tmp_path_factory.mktemp("json") / "m.json"
    write_json(target, value)
    assert read_json(target) == value


@given(values=st.dictionaries(st.text(max_size=4), JSON, max_size=4))
def test_an_address_does_not_depend_on_the_order_of_keys(values: dict[str, Any]) -> None:
    assert sha256_json(values) == sha256_json(dict(reversed(values.items())))


def test_known_hashes(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_file(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert sha256_json({"b": 1, "a": [True, None]}) == sha256_json({"a": [True, None], "b": 1})
    assert sha256_json({"a": 1}) != sha256_json({"a": 1.5})


@pytest.mark.fault("text file", "other encodings, no file, no right", outcome="refused by name")
@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("a: 1\n".encode("utf-16"), "byte order mark"),
        ("a: 1\n".encode("utf-16-le"), "NUL at byte 1"),
        ("näme: 1\n".encode("latin-1"), "byte 0xe4 at 1"),
        (b"a: \0\n", "NUL at byte 3"),
        (b"\xed\xa0\x80", "byte 0xed at 0"),
    ],
)
def test_text_that_is_not_utf_8_is_refused(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "text"
    path.write_bytes(content)
    for read in (read_text, read_json, lambda file: read_table(file, Row)):
        with pytest.raises(LeitmotifError, match="is not UTF-8 text") as caught:
            read(path)
        assert found in str(caught.value.found)


@pytest.mark.fault("text file", "a byte order mark, CR LF", outcome="the same values")
def test_text_of_other_editors_is_read(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b'\xef\xbb\xbf{\r\n"a": 1}\r\n')
    assert read_json(tmp_path / "text") == {"a": 1}


@pytest.mark.fault("text file", "a folder or a pipe of its name", outcome="refused by name")
def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path, "a folder"), (tmp_path / "pipe", "a pipe")):
        with pytest.raises(LeitmotifError) as caught:
            read_text(path)
        assert (caught.value.found, caught.value.expected) == (kind, "a file")
    with pytest.raises(LeitmotifError, match="cannot be read"):
        read_text(Path("a\0b"))


@pytest.mark.fault("JSON", "what lax readers take", outcome="refused by name")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' is given twice"),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": 1e999}', "1e999 is beyond any number"),
        ('{"a": -1e999}', "-1e999 is beyond any number"),
        ('{"a": -Infinity}', "-Infinity is not a number"),
        ('{"a": "\\ud800"}', "half of a surrogate pair"),
        ("[" * 200_000, "nested too deeply"),
        ("", "Expecting value"),
    ],
)
def test_json_is_strict(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "file.json").write_text(text)
    with pytest.raises(LeitmotifError, match=r"file\.json is not JSON") as caught:
        read_json(tmp_path / "file.json")
    assert found in str(caught.value.found)


@pytest.mark.fault("table", "a row that is there twice", outcome="refused by file and line")
def test_a_row_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_table(path, [Row(name=name, count=1, score=None, tags=[]) for name in "ab"])
    path.write_text(path.read_text() * 2)
    with pytest.raises(LeitmotifError, match=r"rows\.jsonl:3 [\s\S]*it repeats line 1"):
        read_table(path, Row)


@pytest.mark.fault(
    "table", "two rows of the same track, or of the same of anything", outcome="refused by name"
)
def test_a_row_of_the_same_as_another_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    exclusions = [Exclusion(track_id="a", reason="too_short", detail=text) for text in "xy"]
    write_table(path, exclusions)
    with pytest.raises(LeitmotifError, match=r"rows\.jsonl:2 [\s\S]*repeats line 1 in track_id"):
        read_table(path, Exclusion)


@pytest.mark.fault("table", "a key given twice in a row", outcome="refused by file and line")
def test_a_row_with_a_key_twice_is_refused(tmp_path: Path) -> None:
    row = '{"count": 1, "count": 2, "name": "a", "score": null, "tags": []}'
    (tmp_path / "t.jsonl").write_text(row)
    with pytest.raises(LeitmotifError, match=r"t\.jsonl:1 is not a Row") as caught:
        read_table(tmp_path / "t.jsonl", Row)
    assert "'count' is given twice" in str(caught.value.found)


def test_a_table_without_rows_has_a_byte(tmp_path: Path) -> None:
    assert write_table(tmp_path / "rows.jsonl", []) == 0
    assert (tmp_path / "rows.jsonl").read_bytes() == b"\n"  # of an empty file DVC warns
    assert read_table(tmp_path / "rows.jsonl", Row) == []


def test_a_table_holds_any_separator_that_json_does(tmp_path: Path) -> None:
    rows = [Row(name="a\u2028b\x85c\nd", count=n, score=None, tags=[]) for n in range(2)]
    write_table(tmp_path / "rows.jsonl", rows)
    assert read_table(tmp_path / "rows.jsonl", Row) == rows
