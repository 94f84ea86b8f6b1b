"""The index: each key once, one decision at a time, and nothing that the logs do not say."""

import errno
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif.errors import ReviewError
from leitmotif.review import index_rows
from leitmotif.review.failures import ConflictError, LockedError, NotSavedError
from leitmotif.review.index import Index
from leitmotif.review.log import append, encode, log_files, read_log, read_logs
from leitmotif.review.standing import standing, standing_listenings
from leitmotif.tables.decisions import Decision, Listening
from tests.review.made import decision, listening, undo


def opened(folder: Path) -> Index:
    return Index(folder / "work" / "index.sqlite", folder / "decisions")


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Callable[[], sqlite3.Connection]:
    """Return the database connection that was opened last, to limit what it may do."""
    connections: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def recorded(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connections.append(connect(*arguments, **options))
        return connections[-1]

    monkeypatch.setattr(sqlite3, "connect", recorded)
    return lambda: connections[-1]


def standing_keys(index: Index) -> list[str]:
    return [standing.key for standing in [*index.standing(), *index.listened()]]


def test_a_repeated_request_is_saved_once(tmp_path: Path) -> None:
    index = opened(tmp_path)
    made = decision()
    assert index.record(made) == (made, False)
    later = made.model_copy(update={"time": decision().time})
    assert index.record(later) == (made, True)
    assert read_log(tmp_path / "decisions" / "ana.jsonl").entries == [made]
    with pytest.raises(ConflictError, match="belongs to another decision"):
        index.record(made.model_copy(update={"verdict": "negative"}))


def test_a_second_decision_on_an_item_needs_an_undo(tmp_path: Path) -> None:
    index = opened(tmp_path)
    made, other = decision(verdict="positive"), decision(verdict="negative")
    index.record(made)
    with pytest.raises(ConflictError, match="decided this item already") as error:
        index.record(other)
    assert error.value.found == "positive"
    index.record(decision("ben"))  # another reviewer's is kept beside it
    index.record(undo(made))
    with pytest.raises(ConflictError, match="does not stand"):
        index.record(undo(made))
    index.record(other)
    assert {standing.verdict for standing in index.standing(reviewer="ana")} == {"negative"}
    assert [entry.action for entry in read_log(tmp_path / "decisions" / "ana.jsonl").entries] == [
        "decide",
        "undo",
        "decide",
    ]


def test_a_listening_is_recorded_like_a_decision_and_kept_apart(tmp_path: Path) -> None:
    index = opened(tmp_path)
    heard, decided = listening(), decision()
    assert index.record(heard) == (heard, False)
    assert index.record(heard) == (heard, True)
    index.record(decided)  # of the same number: another queue
    with pytest.raises(ConflictError, match="decided this item already"):
        index.record(listening(verdict="cannot_tell"))
    assert [(row.key, row.verdict) for row in index.listened()] == [(heard.key, "nothing_else")]
    assert index.listened(reviewer="ben") == []
    assert [row.key for row in index.standing()] == [decided.key]
    assert index.listening(heard.key, "ana") == heard
    assert index.decision(heard.key, "ana") is None
    assert index.listening(decided.key, "ana") is None
    index.record(undo(heard))
    assert index.listened() == []
    assert [row.key for row in index.standing()] == [decided.key]


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["decide", "undo"]),
            st.sampled_from(["ana", "ben"]),
            st.integers(0, 2),
            st.sampled_from(["review", "disagreements", "stretches"]),
        ),
        max_size=12,
    )
)
def test_the_index_says_what_the_logs_say(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, str, int, str]]
) -> None:
    folder = tmp_path_factory.mktemp("index")
    index = opened(folder)
    for action, reviewer, number, queue in actions:
        made: Decision | Listening
        if queue == "stretches":
            made = listening(reviewer, number)
            there = [row.key for row in index.listened(reviewer=reviewer) if row.pair == made.pair]
        else:
            made = decision(reviewer, number, queue=queue)
            there = [
                row.key
                for row in index.standing(reviewer=reviewer)
                if (row.queue, row.pair) == (queue, made.pair)
            ]
        if action == "decide" and not there:
            index.record(made)
        elif action == "undo" and there:
            stored = index.decision(there[0], reviewer) or index.listening(there[0], reviewer)
            assert stored is not None
            index.record(undo(stored))
    lines = read_logs(log_files(folder / "decisions"))
    expected: list[Decision | Listening] = [*standing(lines), *standing_listenings(lines)]
    assert sorted(standing_keys(index)) == sorted(entry.key for entry in expected)
    index.close()
    (folder / "work" / "index.sqlite").unlink()
    anew = opened(folder)
    assert sorted(standing_keys(anew)) == sorted(entry.key for entry in expected)
    anew.close()


def test_what_git_brings_is_seen_at_once(tmp_path: Path) -> None:
    index = opened(tmp_path)
    index.record(decision("ana"))
    theirs = [decision("ben", number) for number in range(3)]
    for their in theirs:
        append(tmp_path / "decisions" / "ben.jsonl", their)
    assert {standing.reviewer for standing in index.standing()} == {"ana", "ben"}
    (tmp_path / "decisions" / "ben.jsonl").unlink()
    assert {standing.reviewer for standing in index.standing()} == {"ana"}


def test_a_line_that_the_index_never_heard_of_is_not_doubled(tmp_path: Path) -> None:
    """Killed between the log and the index: the page sends the same key again."""
    index = opened(tmp_path)
    made = decision()
    append(tmp_path / "decisions" / "ana.jsonl", made)
    assert index.record(made) == (made, True)
    assert len(read_log(tmp_path / "decisions" / "ana.jsonl").entries) == 1


@pytest.mark.fault("decision log", "half a line", outcome="set aside and said")
def test_half_a_line_is_set_aside_and_said(tmp_path: Path) -> None:
    path = tmp_path / "decisions" / "ana.jsonl"
    path.parent.mkdir()
    first, two = decision(number=1), decision(number=2)
    path.write_bytes(encode(first) + encode(two)[:50])
    index = opened(tmp_path)
    assert standing_keys(index) == [first.key]
    (notice,) = index.notices
    assert "half a line" in notice
    (kept,) = (tmp_path / "work" / "torn").iterdir()
    assert kept.read_bytes() == encode(two)[:50]
    assert str(kept) in notice
    index.record(two)
    assert read_log(path).entries == [first, two]


@pytest.mark.fault("index of decisions", "bytes changed", outcome="made anew")
def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    index = opened(tmp_path)
    made = decision()
    index.record(made)
    index.close()
    (tmp_path / "work" / "index.sqlite").write_bytes(b"no database" * 1000)
    anew = opened(tmp_path)
    assert standing_keys(anew) == [made.key]
    assert "made anew" in anew.notices[0]


@pytest.mark.fault("index of decisions", "bytes changed while it is used", outcome="named error")
def test_an_index_damaged_under_way_is_said(
    tmp_path: Path, connection: Callable[[], sqlite3.Connection]
) -> None:
    index = opened(tmp_path)
    index.record(decision())
    connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = tmp_path / "work" / "index.sqlite"
    path.write_bytes(b"x" * path.stat().st_size)
    connection().execute("PRAGMA shrink_memory")  # what it remembers of the file is forgotten

    def use() -> None:
        for number in range(5):
            index.record(decision(number=number + 10))
            index.standing()

    with pytest.raises(ReviewError, match="cannot be used") as error:
        use()
    assert "makes it anew" in str(error.value.fix)


def test_a_locked_index_is_said_and_nothing_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_rows, "LOCK_SECONDS", 0.1)
    index = opened(tmp_path)
    holder = sqlite3.connect(tmp_path / "work" / "index.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(LockedError, match="locked by another program") as error:
        index.record(decision())
    assert "nothing was saved" in str(error.value.fix)
    assert log_files(tmp_path / "decisions") == []
    assert index.standing() == []  # reading goes on
    holder.execute("ROLLBACK")
    index.record(decision())


@pytest.mark.fault("decision log", "full disk", outcome="named error, the next decision works")
def test_a_full_disk_is_said_and_the_next_decision_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = opened(tmp_path)
    made = decision()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(NotSavedError, match="cannot be written") as error:
            index.record(made)
    assert error.value.found == "No space left on device"
    assert index.standing() == []
    assert index.record(made) == (made, False)


@pytest.mark.fault("index of decisions", "full disk", outcome="the decision is saved")
def test_a_saved_decision_is_acknowledged_though_the_index_is_full(
    tmp_path: Path, connection: Callable[[], sqlite3.Connection]
) -> None:
    index = opened(tmp_path)
    pages = connection().execute("PRAGMA page_count").fetchone()[0]
    connection().execute(f"PRAGMA max_page_count = {pages}")
    acknowledged: list[Decision] = []

    def fill() -> None:
        while True:
            made = decision(number=len(acknowledged), note="n" * 2000)
            index.record(made)
            acknowledged.append(made)

    with pytest.raises(NotSavedError, match="cannot be used"):
        fill()
    taken_in = connection().execute("SELECT count(*) FROM entries").fetchone()[0]
    assert read_log(tmp_path / "decisions" / "ana.jsonl").entries == acknowledged
    assert taken_in < len(acknowledged)
    connection().execute("PRAGMA max_page_count = 1000000")
    assert standing_keys(index) == [entry.key for entry in acknowledged]


@pytest.mark.fault("decision log", "a line that is no decision", outcome="named by its line")
def test_an_unreadable_log_names_its_line(tmp_path: Path) -> None:
    index = opened(tmp_path)
    (tmp_path / "decisions").mkdir(exist_ok=True)
    (tmp_path / "decisions" / "ben.jsonl").write_text("<<<<<<< HEAD\n")
    with pytest.raises(ReviewError, match=r"ben\.jsonl:1"):
        index.record(decision("ana"))


def test_two_programs_share_one_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four writers with two indexes, as two servers in one checkout have them."""
    monkeypatch.setattr(index_rows, "LOCK_SECONDS", 200.0)  # however slow the disk
    indexes = [opened(tmp_path), opened(tmp_path)]
    made = [[decision("ana", 100 * writer + number) for number in range(20)] for writer in range(4)]

    def write(writer: int) -> None:
        for entry in made[writer]:
            indexes[writer % 2].record(entry)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = read_log(tmp_path / "decisions" / "ana.jsonl").entries
    assert sorted(entry.key for entry in entries) == sorted(
        entry.key for decisions in made for entry in decisions
    )
    assert len(indexes[0].standing()) == len(indexes[1].standing()) == 80


def test_skipped_items_keep_their_order(tmp_path: Path) -> None:
    index = opened(tmp_path)
    for pair in ("b" * 16, "a" * 16, "b" * 16):
        index.skip("ana", "review", pair)
    assert index.skipped("ana", "review") == ["a" * 16, "b" * 16]
    assert index.skipped("ben", "review") == []


def test_a_decision_is_found_by_key_and_reviewer(tmp_path: Path) -> None:
    index = opened(tmp_path)
    made = decision()
    index.record(made)
    kept = index.decision(made.key, "ana")
    assert isinstance(kept, Decision)
    assert kept == made
    assert index.decision(made.key, "ben") is None
