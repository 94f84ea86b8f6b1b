"""The decision log: what is acknowledged stays, what is torn is set aside."""

import errno
import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.errors import ReviewError
from leitmotif.review.log import append, encode, log_files, mend, read_log, read_logs
from leitmotif.tables.decisions import pair_id
from tests.review.made import MOTIF, RECURRENCE, decision, undo


def test_what_is_appended_is_read_again(tmp_path: Path) -> None:
    first, second = decision(note="line\u2028separator, “quotes”\n"), decision(number=2)
    entries = [first, undo(first), second]
    for entry in entries:
        append(tmp_path / "new" / "ana.jsonl", entry)
    log = read_log(tmp_path / "new" / "ana.jsonl")
    assert log.entries == entries
    assert log.torn == b""
    assert (tmp_path / "new" / "ana.jsonl").read_bytes().count(b"\n") == 3


def test_an_older_line_is_never_changed(tmp_path: Path) -> None:
    path = tmp_path / "ana.jsonl"
    made = decision()
    append(path, made)
    before = path.read_bytes()
    append(path, undo(made))
    assert path.read_bytes().startswith(before)


@pytest.mark.fault("decision log", "cut anywhere", outcome="whole lines stay")
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_a_log_cut_anywhere_keeps_its_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, cut: int, lines: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    path, aside = folder / "ana.jsonl", folder / "aside"
    entries = [decision(number=number) for number in range(lines)]
    whole = b"".join(map(encode, entries))
    cut %= len(whole) + 1
    path.write_bytes(whole[:cut])
    log = read_log(path)
    # A line that lacks nothing but its newline is a decision too.
    ends = itertools.accumulate(len(encode(entry)) for entry in entries)
    complete = sum(end - 1 <= cut for end in ends)
    assert log.entries == entries[:complete]

    kept = mend(path, aside)
    assert (kept is not None) == bool(log.torn)
    if kept is not None:
        assert kept.read_bytes() == log.torn
    added = decision(number=99)
    append(path, added)
    assert read_log(path).entries == [*entries[:complete], added]
    assert read_log(path).torn == b""


@pytest.mark.fault("decision log", "full disk", outcome="the log as it was")
@pytest.mark.parametrize("failing", ["write", "fsync"])
def test_a_full_disk_leaves_the_log_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = tmp_path / "ana.jsonl"
    append(path, decision())
    before = path.read_bytes()
    real_write = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) > 100:  # takes a part first, as a disk does that is almost full
            return real_write(file, data[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def failed(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, full if failing == "write" else failed)
        with pytest.raises(OSError, match=r"No space left|Input/output error"):
            append(path, decision(number=2))
    assert path.read_bytes() == before
    append(path, decision(number=3))
    assert [entry.pair[-1] for entry in read_log(path).entries] == ["1", "3"]


def test_a_line_that_a_merge_doubled_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "ana.jsonl"
    made = decision()
    path.write_bytes(encode(made) * 2)
    assert read_log(path).entries == [made]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"<<<<<<< HEAD\n", "merge conflict"),
        (b"\n", "the line"),
        (b'{"action": "decide"}\n', "key"),
        (encode(decision()).replace(b'"positive"', b'"maybe"'), "verdict"),
        (encode(decision()).replace(b'"note": ""', b'"note": "", "extra": 1'), "extra"),
    ],
)
def test_a_line_in_the_middle_that_is_no_decision_is_named(
    tmp_path: Path, line: bytes, found: str
) -> None:
    path = tmp_path / "ana.jsonl"
    path.write_bytes(encode(decision()) + line + encode(decision(number=2)))
    with pytest.raises(ReviewError, match=r"ana\.jsonl:2 is no decision") as error:
        read_log(path)
    assert found in str(error.value.found)


def test_a_log_holds_its_own_reviewer_only(tmp_path: Path) -> None:
    (tmp_path / "ben.jsonl").write_bytes(encode(decision("ana")))
    with pytest.raises(ReviewError, match="another reviewer's") as error:
        read_log(tmp_path / "ben.jsonl")
    assert (error.value.found, error.value.expected) == ("ana", "ben")


def test_logs_are_read_by_reviewer(tmp_path: Path) -> None:
    for reviewer in ("ben", "ana"):
        append(tmp_path / f"{reviewer}.jsonl", decision(reviewer))
    (tmp_path / "README.md").write_text("not a log")
    assert [entry.reviewer for entry in read_logs(log_files(tmp_path))] == ["ana", "ben"]
    assert log_files(tmp_path / "none") == []
    assert read_log(tmp_path / "none.jsonl").entries == []


def test_a_pair_is_its_audio_and_windows() -> None:
    name = pair_id("a" * 64, 32000, MOTIF, RECURRENCE)
    assert len(name) == 16
    assert name == pair_id("a" * 64, 32000, MOTIF, RECURRENCE)
    others = [
        pair_id("b" * 64, 32000, MOTIF, RECURRENCE),
        pair_id("a" * 64, 44100, MOTIF, RECURRENCE),
        pair_id("a" * 64, 32000, RECURRENCE, MOTIF),
    ]
    assert len({name, *others}) == 4


@pytest.mark.fault("decision log", "bytes removed, added, changed", outcome="read, or named error")
@given(data=st.data())
def test_a_mutated_log_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("log") / "ana.jsonl"
    entries = [decision(number=number) for number in range(3)]
    whole = b"".join(map(encode, entries))
    at = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 60))
    odd = st.sampled_from([b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"[" * 999, b"NaN"])
    changed = whole[:at] + data.draw(odd | st.binary(max_size=5)) + whole[at + length :]
    path.write_bytes(changed)
    try:
        log = read_log(path)
    except ReviewError as error:
        message = str(error)
    else:
        message = str(path)
        assert len(log.entries) <= 3 or changed == whole
    assert str(path) in message
    assert path.read_bytes() == changed


@pytest.mark.fault("decision log", "a key twice, UTF-16, pipe, folder", outcome="refused by name")
@pytest.mark.parametrize("odd", ["twice", "utf-16", "pipe", "folder", "dangling"])
def test_a_log_that_cannot_be_read_is_named(tmp_path: Path, odd: str) -> None:
    path, line = tmp_path / "ana.jsonl", encode(decision())
    match odd:
        case "twice":
            path.write_bytes(line.replace(b"{", b'{"verdict": "negative", ', 1))
        case "utf-16":
            path.write_bytes(line.decode().encode("utf-16"))
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "dangling":
            path.symlink_to(tmp_path / "nothing")
    with pytest.raises(ReviewError, match=r"ana\.jsonl"):
        read_log(path)
    assert os.path.lexists(path)


@pytest.mark.fault(
    "decision log", "a byte order mark, CR LF", outcome="the same decisions, as often as they stand"
)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_what_editors_put_in_changes_nothing(tmp_path: Path, ending: bytes, mark: bytes) -> None:
    path = tmp_path / "ana.jsonl"
    entries = [decision(number=number) for number in range(3)]
    for entry in entries:
        append(path, entry)
    path.write_bytes(mark + path.read_bytes().replace(b"\n", ending))
    assert read_log(path).entries == entries


@pytest.mark.fault(
    "decision log", "lines that lost their newlines", outcome="refused by line; none is left out"
)
def test_lines_without_their_newlines_are_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "ana.jsonl"
    for number in range(3):
        append(path, decision(number=number))
    path.write_bytes(path.read_bytes().replace(b"\n", b""))
    with pytest.raises(ReviewError, match=r"ana\.jsonl:1 is no decision"):
        read_log(path)


@pytest.mark.fault(
    "decision log", "another decision under the key of an earlier one", outcome="refused by line"
)
def test_a_key_stands_for_one_decision(tmp_path: Path) -> None:
    path = tmp_path / "ana.jsonl"
    first = decision(number=1)
    for entry in (first, first, first.model_copy(update={"note": "changed my mind"})):
        append(path, entry)
    with pytest.raises(ReviewError, match=r"ana\.jsonl:3 has the key of an earlier line"):
        read_log(path)
