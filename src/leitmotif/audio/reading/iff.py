"""AIFF, AU, CAF and Sony's W64: whether the samples that a header promises are all there.

libsndfile makes the promise smaller where a file is cut, so it is read here. Sources: Apple's Audio
Interchange File Format (AIFF-C) draft of 1991 and Core Audio Format specification 1.0, the man page
of the Audio File Format (AU), Sonic Foundry's description of W64.
"""

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

from leitmotif.audio.reading.layout import (
    UNKNOWN_LENGTH,
    ContainerLayout,
    LayoutError,
    Remark,
    check_last,
)

_MOST_CHUNKS = 10_000
_UNKNOWN = 0xFFFF_FFFF
_PLAIN = (b"NONE", b"sowt", b"twos", b"raw ", b"in24", b"in32", b"fl32", b"FL32", b"fl64", b"FL64")
"""Compressions of AIFF-C that are none: samples of a fixed size."""
_STREAMED = Remark(UNKNOWN_LENGTH, "its header does not say how many samples there are")


def read_aiff(file: BinaryIO, start: int, size: int) -> ContainerLayout:
    """Read an AIFF or AIFF-C file.

    Raises LayoutError ``truncated`` where the file or its samples end before a header says.
    """
    kind, total = _fields(file, start + 4, ">I4s")[::-1]
    _check_end(start + 8 + total, size, "FORM")
    frames, block = None, 0
    for name, body, length in _chunks(file, start + 12, ">4sI", 2):
        if name == b"COMM":
            channels, frames, bits = _fields(file, body, ">HIH")
            plain = kind == b"AIFF" or _fields(file, body + 18, ">4s")[0] in _PLAIN
            block = channels * ((bits + 7) // 8) if plain else 0
        _check_end(body + length, size, name.decode("latin-1"))
        if name == b"SSND":
            held = max(0, length - 8)
            if frames is not None and frames * block > held:
                promised = f"{frames * block}, as its header says"
                raise LayoutError("truncated", f"{held} bytes of samples", promised)
            return ContainerLayout("AIFF", frames)
    raise LayoutError("truncated", "an AIFF file without samples", "a chunk named SSND")


def read_au(file: BinaryIO, start: int, size: int) -> ContainerLayout:
    """Read an AU file of either order of bytes; raises LayoutError ``truncated``."""
    order = "<" if _fields(file, start, "4s")[0] == b"dns." else ">"
    offset, length = _fields(file, start + 4, order + "II")
    if length == _UNKNOWN:
        return ContainerLayout("AU", remark=_STREAMED)
    _check_end(start + offset + length, size, "header")
    return ContainerLayout("AU")


def read_caf(file: BinaryIO, start: int, size: int) -> ContainerLayout:
    """Read a CAF file, whose length libsndfile demands; raises LayoutError ``truncated``."""
    for name, body, length in _chunks(file, start + 8, ">4sq", 1):
        _check_end(body + length, size, name.decode("latin-1"))
        if name == b"data":
            check_last(file, body + length, b"caff\0\1\0\0desc")
            return ContainerLayout("CAF")
    raise LayoutError("truncated", "a CAF file without samples", "a chunk named data")


def read_w64(file: BinaryIO, start: int, size: int) -> ContainerLayout:
    """Read a W64 file, whose sizes include their own fields; raises LayoutError ``truncated``."""
    for name, body, length in _chunks(file, start + 40, "<16sQ", 8, whole=True):
        _check_end(body + length, size, name[:4].decode("latin-1"))
        if name[:4] == b"data":
            check_last(file, body + length, b"riff\x2e\x91\xcf\x11")
            return ContainerLayout("W64")
    raise LayoutError("truncated", "a W64 file without samples", "a chunk named data")


def _chunks(
    file: BinaryIO, at: int, form: str, aligned: int, *, whole: bool = False
) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and bytes of what each chunk holds; ``whole`` sizes count the chunk's head."""
    head = struct.calcsize(form)
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        content = file.read(head)
        if len(content) < head:
            return
        name, length = struct.unpack(form, content)
        length = length - head if whole else length
        yield name, at + head, length
        end = at + head + max(0, length)
        at = end + -end % aligned


def _fields(file: BinaryIO, at: int, form: str) -> tuple[Any, ...]:
    file.seek(at)
    return struct.unpack(form, file.read(struct.calcsize(form)).ljust(struct.calcsize(form), b"\0"))


def _check_end(end: int, size: int, what: str) -> None:
    if end > size + 1:  # the pad behind an odd size may be missing
        raise LayoutError("truncated", f"a file of {size} bytes", f"{end}, as its {what} says")
