"""Whole files or none, and tables whose errors point at the line."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from leitmotif import replacing
from leitmotif.errors import LeitmotifError
from leitmotif.files import (
    atomic,
    atomic_folder,
    read_json,
    read_table,
    read_text,
    sha256_file,
    sha256_json,
    write_json,
    write_table,
    write_text,
)


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    count: Annotated[int, Field(ge=0)]
    score: float | None
    tags: list[str]


def test_atomic_replaces_the_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "below" / "file.txt"
    write_text(target, "a much longer first version\n")
    write_text(target, "second\n")
    assert target.read_text() == "second\n"
    assert list(target.parent.iterdir()) == [target]


def test_an_exception_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    write_text(target, "old")

    def interrupted() -> None:
        with atomic(target) as temporary:
            temporary.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_target_is_untouched_until_the_body_ends(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    with atomic(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.parent == target.parent  # a rename within one file system
    assert target.read_text() == "new"


@pytest.mark.fault("file", "process killed while it writes", outcome="the old file stays whole")
def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    write_text(target, "old")
    program = (
        "import os, sys; from pathlib import Path; from leitmotif.files import atomic\n"
        "with atomic(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(target)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert target.read_text() == "old"
    left = [path.name for path in tmp_path.iterdir() if path != target]
    assert [name.startswith(".file.txt.") and name.endswith(".partial") for name in left] == [True]


def test_flushed_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, order = tmp_path / "file.txt", []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append("flush"), fsync(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda a, b: (order.append("rename"), replace(a, b))[1])
    write_text(target, "text")
    assert order == ["flush", "rename"]


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


@given(rows=st.lists(ROWS, max_size=5))
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


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    for name in ("first.txt", "second.txt"):
        with atomic_folder(target) as staging:
            (staging / name).write_text(name)
        assert [path.name for path in target.iterdir()] == [name]
    assert list(tmp_path.iterdir()) == [target]


def test_an_exception_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with atomic_folder(target) as staging:
        (staging / "old.txt").write_text("old")

    def interrupted() -> None:
        with atomic_folder(target) as staging:
            (staging / "new.txt").write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in target.iterdir()] == ["old.txt"]
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_killed_run_left_of_a_folder_is_removed(tmp_path: Path) -> None:
    gone = f"{2**40}.partial"  # a number that no process has
    alive = f"{os.getppid()}-1.partial"
    for name in (f".out.{gone}", f".out.{alive}", f".other.{gone}", f".out.5.{gone}"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half.txt").write_text("half")
    with atomic_folder(tmp_path / "out"):
        pass
    kept = {"out", f".out.{alive}", f".other.{gone}", f".out.5.{gone}"}
    assert {path.name for path in tmp_path.iterdir()} == kept


@pytest.mark.fault("file", "a run is killed while it writes", outcome="the next removes its rest")
def test_what_a_killed_run_left_of_a_file_is_removed(tmp_path: Path) -> None:
    (tmp_path / f".a.txt.{2**40}-0.partial").write_text("half")
    (tmp_path / f".b.txt.{2**40}-0.partial").write_text("half")
    (tmp_path / f".a.txt.{os.getppid()}-0.partial").write_text("being written")
    write_text(tmp_path / "a.txt", "whole")
    names = {"a.txt", f".a.txt.{os.getppid()}-0.partial", f".b.txt.{2**40}-0.partial"}
    assert {path.name for path in tmp_path.iterdir()} == names


KILLED = """
import os, sys
from pathlib import Path
from leitmotif import files, replacing
if sys.argv[2] == "without":
    replacing.exchange = lambda first, second: False
calls = 0
def dying(function):
    def called(*arguments, **options):
        global calls
        calls += 1
        if calls == int(sys.argv[3]):
            os.kill(os.getpid(), 9)
        return function(*arguments, **options)
    return called
Path.rename, Path.unlink = dying(Path.rename), dying(Path.unlink)
replacing.exchange = dying(replacing.exchange)
replacing.shutil.rmtree = dying(replacing.shutil.rmtree)
with files.atomic_folder(Path(sys.argv[1])) as folder:
    (folder / "a").write_text("new")
    (folder / "b").write_text("new")
"""


@pytest.mark.fault(
    "folder", "a kill before each step of its replacement", outcome="the old or the new one, whole"
)
@pytest.mark.parametrize("exchange", ["with", "without"])
def test_a_kill_leaves_the_old_folder_or_the_new_one(tmp_path: Path, exchange: str) -> None:
    for step in range(1, 7):
        target = tmp_path / str(step) / "out"
        target.mkdir(parents=True)
        (target / "a").write_text("old")
        program = [sys.executable, "-c", KILLED, str(target), exchange, str(step)]
        done = subprocess.run(program, check=False, timeout=300)
        if exchange == "without":
            replacing.recover(target)  # as the next start does
        found = {path.name: path.read_text() for path in target.iterdir()}
        assert found in ({"a": "old"}, {"a": "new", "b": "new"})
        if done.returncode == 0:
            assert found == {"a": "new", "b": "new"}
            return
    pytest.fail("it was killed at every step")


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
    for path, found in ((tmp_path, "a folder"), (tmp_path / "pipe", "a pipe")):
        with pytest.raises(LeitmotifError) as caught:
            read_text(path)
        assert (caught.value.found, caught.value.expected) == (found, "a file")
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


@pytest.mark.fault("table", "a key given twice in a row", outcome="refused by file and line")
def test_a_row_with_a_key_twice_is_refused(tmp_path: Path) -> None:
    row = '{"count": 1, "count": 2, "name": "a", "score": null, "tags": []}'
    (tmp_path / "t.jsonl").write_text(row)
    with pytest.raises(LeitmotifError, match=r"t\.jsonl:1 is not a Row") as caught:
        read_table(tmp_path / "t.jsonl", Row)
    assert "'count' is given twice" in str(caught.value.found)


@pytest.mark.fault("target", "a folder, pipe or device in its place", outcome="refused, untouched")
def test_a_file_does_not_take_the_place_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(LeitmotifError, match="cannot be written"):
            write_text(tmp_path / name, "text")
    write_text(tmp_path / "file", "mine")
    with pytest.raises(LeitmotifError, match="cannot be written"), atomic_folder(tmp_path / "file"):
        pytest.fail("no work was to be done")
    with pytest.raises(LeitmotifError, match="cannot be written"):
        write_text(tmp_path / "file" / "below", "text")
    with pytest.raises(LeitmotifError, match="cannot be written"):
        write_text(tmp_path / ("x" * 256), "text")
    write_text(tmp_path / ("x" * 255), "text")
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "pipe", "file", "x" * 255}
    assert (tmp_path / "file").read_text() == "mine"


def test_a_table_without_rows_has_a_byte(tmp_path: Path) -> None:
    assert write_table(tmp_path / "rows.jsonl", []) == 0
    assert (tmp_path / "rows.jsonl").read_bytes() == b"\n"  # of an empty file DVC warns
    assert read_table(tmp_path / "rows.jsonl", Row) == []


def test_a_table_holds_any_separator_that_json_does(tmp_path: Path) -> None:
    rows = [Row(name="a\u2028b\x85c\nd", count=1, score=None, tags=[]) for _ in range(2)]
    write_table(tmp_path / "rows.jsonl", rows)
    assert read_table(tmp_path / "rows.jsonl", Row) == rows
