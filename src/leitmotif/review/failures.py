"""What a review refuses or cannot do; the server answers each kind with a status of its own."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leitmotif.errors import ReviewError

LOCK_SECONDS = 5.0
"""How long a write waits for another program that holds the index."""


class NotFoundError(ReviewError):
    """There is no such item, clip or track."""


class RefusedError(ReviewError):
    """The request cannot be carried out as it is."""


class ConflictError(ReviewError):
    """The decision contradicts one that stands, or undoes one that does not."""


class DoubledError(ReviewError):
    """The pair is in the queue already, with nearly the same windows."""

    pair: str = ""
    """Id of the one in the queue."""


class LockedError(ReviewError):
    """Another program holds the index."""


class NotSavedError(ReviewError):
    """The decision could not be written to the disk."""


@contextmanager
def explaining(database: Path) -> Iterator[None]:
    """Raise what SQLite reports of ``database`` as a ReviewError."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise explained(error, database) from error


def explained(error: sqlite3.DatabaseError, database: Path) -> ReviewError:
    """Say what an error of SQLite means for the person who decides."""
    # The low byte is the kind of error, whatever the extended code.
    if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LockedError(
            f"{database} is locked by another program",
            found=f"the lock was held for more than {LOCK_SECONDS:.0f} s",
            fix="nothing was saved; close the program that holds the lock, then try again",
        )
    return NotSavedError(
        f"{database} cannot be used",
        found=error,
        fix="free disk space or correct the permissions; if the index is damaged, start "
        "`leitmotif review` again, which makes it anew",
    )
