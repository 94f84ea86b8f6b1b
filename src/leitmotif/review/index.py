"""An SQLite index over the decision logs: what stands, what was skipped, and one writer at a time.

The logs are the truth. The index is brought up to date with them before every write, and it can be
deleted at any time: only the order of skipped items is lost. Its write lock also keeps apart the
processes that append to one log.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from leitmotif.errors import ReviewError
from leitmotif.review.failures import (
    LOCK_SECONDS,
    ConflictError,
    NotSavedError,
    explained,
    explaining,
)
from leitmotif.review.log import append, encode, log_files, log_path, mend, read_log
from leitmotif.review.standing import standing, standing_listenings
from leitmotif.tables.decisions import (
    ENTRY,
    Decision,
    Entry,
    Heard,
    Listening,
    Queue,
    Stretches,
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
    """Of the stretch as it was offered: ``stretch_id``."""
    key: str
    verdict: Heard
    time: float
    """Seconds since 1970."""


class Index:
    """The index in ``database`` over the logs in ``decisions``; safe to share between threads.

    ``notices`` says what was found wrong with the logs or the index and mended.
    """

    def __init__(self, database: Path, decisions: Path) -> None:
        self.database, self.decisions = database, decisions
        self.notices: list[str] = []
        self._lock = threading.Lock()
        database.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = self._open()
        except sqlite3.OperationalError as error:
            raise explained(error, database) from error
        except sqlite3.DatabaseError as error:  # damaged, or another version's
            self._start_anew(error)
        with self._writing():
            pass  # brings it up to date

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def record(self, entry: Entry) -> tuple[Entry, bool]:
        """Append ``entry`` to its reviewer's log, once; returns what the log holds under its key.

        The second value says whether it was there before: the request was repeated. Returns only
        when the line is on the disk. Raises ConflictError, LockedError and NotSavedError; nothing
        is saved then.
        """
        on_disk = False
        try:
            with self._writing() as database:
                if there := _find(database, entry.key, entry.reviewer):
                    return _same(entry, there), True
                self._check(database, entry)
                path = log_path(self.decisions, entry.reviewer)
                _append(path, entry)
                on_disk = True
                _take(database, path, entry)
        except ReviewError:
            if not on_disk:
                raise
            # The index could not follow, on a full disk for example. It will, from the log.
        return entry, False

    def standing(
        self, *, reviewer: str | None = None, queue: Queue | None = None
    ) -> list[Standing]:
        """Return the decisions that stand, oldest line first; of one reviewer or queue if named."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT reviewer, queue, pair, key, verdict, time FROM standing "
                "WHERE reviewer = coalesce(?, reviewer) AND queue = coalesce(?, queue) "
                "AND queue <> 'stretches' ORDER BY place",
                (reviewer, queue),
            )
            return [Standing(*row) for row in rows]

    def listened(self, *, reviewer: str | None = None) -> list[Listened]:
        """Return the listenings that stand, oldest line first; of one reviewer if named."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT reviewer, pair, key, verdict, time FROM standing "
                "WHERE reviewer = coalesce(?, reviewer) AND queue = 'stretches' ORDER BY place",
                (reviewer,),
            )
            return [Listened(*row) for row in rows]

    def decision(self, key: str, reviewer: str) -> Decision | None:
        """Return a decision in full."""
        entry = self._entry(key, reviewer)
        return entry if isinstance(entry, Decision) else None

    def listening(self, key: str, reviewer: str) -> Listening | None:
        """Return a listening in full."""
        entry = self._entry(key, reviewer)
        return entry if isinstance(entry, Listening) else None

    def skip(self, reviewer: str, queue: Queue | Stretches, pair: str) -> None:
        """Put an item at the end of the reviewer's queue."""
        with self._writing() as database:
            database.execute(
                "INSERT OR REPLACE INTO skipped (reviewer, queue, pair) VALUES (?, ?, ?)",
                (reviewer, queue, pair),
            )

    def skipped(self, reviewer: str, queue: Queue | Stretches) -> list[str]:
        """Return the pairs that the reviewer skipped, in that order."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT pair FROM skipped WHERE reviewer = ? AND queue = ? ORDER BY place",
                (reviewer, queue),
            )
            return [row[0] for row in rows]

    def _entry(self, key: str, reviewer: str) -> Entry | None:
        with self._reading() as database:
            return _find(database, key, reviewer)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock, with the index up to date; commit at the end."""
        with self._lock, explaining(self.database):
            database = self._connection
            database.execute("BEGIN IMMEDIATE")
            try:
                self._catch_up(database)
                yield database
                database.execute("COMMIT")
            finally:
                if database.in_transaction:
                    database.execute("ROLLBACK")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Give the index, up to date with logs that something else changed, such as git."""
        with self._lock, explaining(self.database):
            stale = bool(self._changed(self._connection))
        if stale:
            with self._writing():
                pass
        with self._lock, explaining(self.database):
            yield self._connection

    def _changed(self, database: sqlite3.Connection) -> list[str]:
        """Reviewers whose log is not the one that the index has read."""
        known = dict(database.execute("SELECT reviewer, stamp FROM logs"))
        there = {path.stem: _stamp_of(path) for path in log_files(self.decisions)}
        return [
            name for name in sorted(known | there) if known.get(name, "") != there.get(name, "")
        ]

    def _catch_up(self, database: sqlite3.Connection) -> None:
        for reviewer in self._changed(database):
            path = log_path(self.decisions, reviewer)
            kept = mend(path, self.database.parent / "torn")
            if kept:
                self.notices.append(
                    f"{path} ended in half a line, which was never acknowledged; it is kept in "
                    f"{kept}, and the decision is to be made again"
                )
            _reload(database, path)

    def _check(self, database: sqlite3.Connection, entry: Entry) -> None:
        """Refuse a second verdict where one stands, and the undoing of one that does not stand."""
        place = (entry.reviewer, entry.queue, entry.pair)
        standing = database.execute(
            "SELECT key, verdict FROM standing WHERE reviewer = ? AND queue = ? AND pair = ?", place
        ).fetchone()
        if isinstance(entry, Undo):
            if not standing or standing[0] != entry.undoes:
                raise ConflictError(
                    "this decision does not stand any more",
                    fix="there is nothing to undo; it may have been undone in another tab",
                )
        elif standing:
            raise ConflictError(
                "you have decided this item already",
                found=standing[1],
                fix="nothing was saved; to change the decision, undo it first",
            )

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.database, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False
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

    def _start_anew(self, error: sqlite3.DatabaseError) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.database.with_name(self.database.name + suffix).unlink(missing_ok=True)
        self._connection = self._open()
        self.notices.append(
            f"{self.database} could not be used ({error}) and was made anew from {self.decisions}"
        )


def _find(database: sqlite3.Connection, key: str, reviewer: str) -> Entry | None:
    row = database.execute(
        "SELECT line FROM entries WHERE key = ? AND reviewer = ?", (key, reviewer)
    ).fetchone()
    return ENTRY.validate_json(row[0]) if row else None


def _same(sent: Entry, there: Entry) -> Entry:
    """Return what the log holds; raises ConflictError if it is not what was sent under its key."""
    changing = {"time", "versions"}
    if sent.model_dump(exclude=changing) != there.model_dump(exclude=changing):
        raise ConflictError("this key belongs to another decision", fix="reload the page")
    return there


def _append(path: Path, entry: Entry) -> None:
    try:
        append(path, entry)
    except OSError as error:
        raise NotSavedError(
            f"{path} cannot be written",
            found=error.strerror or str(error),
            fix="the decision is not saved: free disk space or correct the permissions, then "
            "decide again",
        ) from error


def _reload(database: sqlite3.Connection, path: Path) -> None:
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


def _take(database: sqlite3.Connection, path: Path, entry: Entry) -> None:
    """Take in the line that was just appended."""
    if isinstance(entry, Undo):
        _reload(database, path)
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
    database.execute("INSERT OR REPLACE INTO logs VALUES (?, ?)", (path.stem, _stamp_of(path)))


def _stamp_of(path: Path) -> str:
    try:
        state = path.stat()
    except FileNotFoundError:
        return ""
    return f"{state.st_ino} {state.st_size} {state.st_mtime_ns}"
