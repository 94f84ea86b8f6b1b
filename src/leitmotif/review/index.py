"""An SQLite index over the decision logs: what stands, what was skipped, and one writer at a time.

The logs are the truth. The index is brought up to date with them before every write, and it can be
deleted at any time: only the order of skipped items is lost. Its write lock also keeps apart the
processes that append to one log.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leitmotif.errors import ReviewError
from leitmotif.review.failures import ConflictError, NotSavedError, explained, explaining
from leitmotif.review.index_rows import (
    Listened,
    Standing,
    connect,
    find_entry,
    listened_stretches,
    reload_log,
    stamp_of,
    standing_decisions,
    take_in,
)
from leitmotif.review.log import append, log_files, log_path, mend
from leitmotif.tables.decisions import Decision, Entry, Listening, Queue, Stretches, Undo


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
            self._connection = connect(self.database)
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
                if there := find_entry(database, entry.key, entry.reviewer):
                    return _same(entry, there), True
                self._check(database, entry)
                path = log_path(self.decisions, entry.reviewer)
                _append(path, entry)
                on_disk = True
                take_in(database, path, entry)
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
            return standing_decisions(database, reviewer=reviewer, queue=queue)

    def listened(self, *, reviewer: str | None = None) -> list[Listened]:
        """Return the listenings that stand, oldest line first; of one reviewer if named."""
        with self._reading() as database:
            return listened_stretches(database, reviewer=reviewer)

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
            return find_entry(database, key, reviewer)

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
        there = {path.stem: stamp_of(path) for path in log_files(self.decisions)}
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
            reload_log(database, path)

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

    def _start_anew(self, error: sqlite3.DatabaseError) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.database.with_name(self.database.name + suffix).unlink(missing_ok=True)
        self._connection = connect(self.database)
        self.notices.append(
            f"{self.database} could not be used ({error}) and was made anew from {self.decisions}"
        )


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
