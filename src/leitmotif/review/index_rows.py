"""The tables of the index over the decision logs, and what enters them from a log.

All functions are given a connection and leave locks and transactions to their caller.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from leitmotif.review.failures import LOCK_SECONDS
from leitmotif.review.log import encode, read_log
from leitmotif.review.standing import standing, standing_listenings
from leitmotif.tables.decisions import (
    ENTRY,
    Decision,
    Entry,
    Heard,
    Listening,
    Queue,
    Undo,
    Verdict,
)

_VERSION = 2
_SCHEMA = """
CREATE TABLE logs (reviewer TEXT PRIMARY KEY, stamp TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
    key TEXT NOT NULL, reviewer TEXT NOT NULL, line BLOB NOT NULL, PRIMARY KEY (key, reviewer)
) WITHOUT ROWID;
CREATE TABLE standing (
    place INTEGER PRIMARY KEY,
    reviewer TEXT NOT NULL, queue TEXT NOT NULL, pair TEXT NOT NULL,
    key TEXT NOT NULL, verdict TEXT NOT NULL, time REAL NOT NULL,
    UNIQUE (reviewer, queue, pair)
);
CREATE TABLE skipped (
    place INTEGER PRIMARY KEY,
    reviewer TEXT NOT NULL, queue TEXT NOT NULL, pair TEXT NOT NULL,
    UNIQUE (reviewer, queue, pair)
);
"""


@dataclass(frozen=True)
class Standing:
    """A decision that stands, in short."""

    reviewer: str
    queue: Queue
    pair: str
    key: str
    verdict: Verdict
    time: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class Listened:
    """A listening that stands, in short."""

    reviewer: str
    pair: str
    """Id of the stretch as it was offered: ``stretch_id``."""
    key: str
    verdict: Heard
    time: float
    """Seconds since 1970."""


def connect(database: Path) -> sqlite3.Connection:
    """Open the database, or make it.

    Raises sqlite3.DatabaseError if it is damaged or another version's.
    """
    connection = sqlite3.connect(
        database, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, _VERSION):
        raise sqlite3.DatabaseError(f"made by another version ({version})")
    if version == 0:
        connection.executescript(
            f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT"
        )
    elif connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError("damaged")
    return connection


def find_entry(database: sqlite3.Connection, key: str, reviewer: str) -> Entry | None:
    """The line of a reviewer's log under a key; None if there is none."""
    row = database.execute(
        "SELECT line FROM entries WHERE key = ? AND reviewer = ?", (key, reviewer)
    ).fetchone()
    return ENTRY.validate_json(row[0]) if row else None


def standing_decisions(
    database: sqlite3.Connection, *, reviewer: str | None = None, queue: Queue | None = None
) -> list[Standing]:
    """The decisions that stand, oldest line first; of one reviewer or queue if named."""
    rows = database.execute(
        "SELECT reviewer, queue, pair, key, verdict, time FROM standing "
        "WHERE reviewer = coalesce(?, reviewer) AND queue = coalesce(?, queue) "
        "AND queue <> 'stretches' ORDER BY place",
        (reviewer, queue),
    )
    return [Standing(*row) for row in rows]


def listened_stretches(
    database: sqlite3.Connection, *, reviewer: str | None = None
) -> list[Listened]:
    """The listenings that stand, oldest line first; of one reviewer if named."""
    rows = database.execute(
        "SELECT reviewer, pair, key, verdict, time FROM standing "
        "WHERE reviewer = coalesce(?, reviewer) AND queue = 'stretches' ORDER BY place",
        (reviewer,),
    )
    return [Listened(*row) for row in rows]


def reload_log(database: sqlite3.Connection, path: Path) -> None:
    """Replace all that the index has of a reviewer by what the log says."""
    for table in ("logs", "entries", "standing"):
        database.execute(f"DELETE FROM {table} WHERE reviewer = ?", (path.stem,))
    if not path.exists():
        return
    entries = read_log(path).entries
    database.executemany(
        "INSERT OR IGNORE INTO entries VALUES (?, ?, ?)",
        ((entry.key, entry.reviewer, encode(entry)) for entry in entries),
    )
    for decision in standing(entries):
        _insert_standing(database, decision)
    for listening in standing_listenings(entries):
        _insert_standing(database, listening)
    _stamp(database, path)


def take_in(database: sqlite3.Connection, path: Path, entry: Entry) -> None:
    """Take in the line that was just appended."""
    if isinstance(entry, Undo):
        reload_log(database, path)
        return
    database.execute(
        "INSERT INTO entries VALUES (?, ?, ?)", (entry.key, entry.reviewer, encode(entry))
    )
    _insert_standing(database, entry)
    _stamp(database, path)


def _insert_standing(database: sqlite3.Connection, entry: Decision | Listening) -> None:
    database.execute(
        "INSERT INTO standing (reviewer, queue, pair, key, verdict, time) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (entry.reviewer, entry.queue, entry.pair, entry.key, entry.verdict, entry.time.timestamp()),
    )


def _stamp(database: sqlite3.Connection, path: Path) -> None:
    database.execute("INSERT OR REPLACE INTO logs VALUES (?, ?)", (path.stem, stamp_of(path)))


def stamp_of(path: Path) -> str:
    """What tells one state of a log from another; empty without a file."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return ""
    return f"{state.st_ino} {state.st_size} {state.st_mtime_ns}"
