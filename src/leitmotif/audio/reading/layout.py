"""What a container says of a recording's length, and a view of the file with that mended.

libsndfile decodes no more than a header promises and says nothing where a file holds less. So the
containers are read here first, and where their numbers are absent or wrong, libsndfile gets a view
of the file in which they are right.
"""

import io
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO

Piece = bytes | tuple[int, int]
"""Bytes that are given, or the range [start, stop) of the file's own."""

WRONG_LENGTH = "header_wrong"
UNKNOWN_LENGTH = "length_unknown"
DAMAGED = "damaged"
_CHUNK = 1 << 20


class LayoutError(Exception):
    """A container is not whole; ``reason`` is one machine-readable word, such as ``truncated``."""

    def __init__(self, reason: str, found: str, expected: str) -> None:
        super().__init__(found)
        self.reason, self.found, self.expected = reason, found, expected


@dataclass(frozen=True)
class Remark:
    """What is worth knowing of a recording that can be used all the same."""

    reason: str
    """length_unknown, header_wrong or damaged."""
    detail: str


@dataclass(frozen=True)
class ContainerLayout:
    """What a container says."""

    container: str
    frames: int | None = None
    """Samples in each channel that the header promises; None where decoding alone can tell."""
    view: Sequence[Piece] | None = None
    """What libsndfile is to read in place of the file; None for the file as it is."""
    remark: Remark | None = None


def check_last(file: BinaryIO, start: int, beginning: bytes) -> None:
    """Raise LayoutError ``chained`` if another recording begins anywhere from ``start`` on.

    ``beginning`` is how one of this container begins, too long to stand anywhere by chance.
    """
    file.seek(start)
    last = b""
    while chunk := file.read(_CHUNK):
        if beginning in last + chunk:
            raise LayoutError("chained", "several recordings in a row", "one")
        last = chunk[1 - len(beginning) :]


class View(io.RawIOBase):
    """A read-only file made of pieces of another file and of given bytes."""

    def __init__(self, file: BinaryIO, pieces: Sequence[Piece]) -> None:
        self._file, self._pieces, self._at = file, pieces, 0
        lengths = [
            len(piece) if isinstance(piece, bytes) else piece[1] - piece[0] for piece in pieces
        ]
        self._ends = list(accumulate(lengths))
        self.ended = False
        """Whether the last byte was read."""

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Position in bytes."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, and return the position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1]}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # any writable buffer
        """Fill ``buffer`` as far as the file reaches; returns the number of bytes."""
        out = memoryview(buffer).cast("B")
        done = 0
        while done < len(out):
            chunk = self._chunk(len(out) - done)
            if not chunk:
                break
            out[done : done + len(chunk)] = chunk
            done += len(chunk)
            self._at += len(chunk)
        self.ended |= self._at >= self._ends[-1]
        return done

    def _chunk(self, most: int) -> bytes:
        index = bisect_right(self._ends, self._at)
        if index == len(self._ends):
            return b""
        piece = self._pieces[index]
        inside = self._at - (self._ends[index - 1] if index else 0)
        if isinstance(piece, bytes):
            return piece[inside : inside + most]
        self._file.seek(piece[0] + inside)
        return self._file.read(min(most, piece[1] - piece[0] - inside))
