"""FLAC: the number of samples in STREAMINFO (RFC 9639, section 8.2), which may be 0 for unknown."""

from typing import BinaryIO

from leitmotif.audio.reading.layout import (
    UNKNOWN_LENGTH,
    ContainerLayout,
    LayoutError,
    Remark,
    check_last,
)

_TOTAL = 21
"""Offset of the byte whose low nibble begins the number of samples, which four bytes go on."""

_BEGINNING = b"fLaC\0\0\0\x22"
"""Of a file: the mark, and the head of STREAMINFO. What is compressed never holds it by chance."""

_TAG_BYTES = 128
"""Of an ID3v1 tag, which has no place in a FLAC file and stands at the end of some."""


def read_flac(file: BinaryIO, start: int, size: int) -> ContainerLayout:
    """Read STREAMINFO at ``start``; the view hides the number of samples, so that all is decoded.

    Raises LayoutError if the file ends within it, or if another FLAC file follows.
    """
    file.seek(start)
    head = file.read(42)
    if len(head) < 42:
        raise LayoutError("truncated", "a FLAC file of less than its header", "42 bytes or more")
    check_last(file, start + len(_BEGINNING), _BEGINNING)
    total = int.from_bytes(head[_TOTAL : _TOTAL + 5], "big") & 0xF_FFFF_FFFF
    at = start + _TOTAL
    file.seek(max(start, size - _TAG_BYTES))
    end = size - _TAG_BYTES if file.read(3) == b"TAG" else size
    hidden = bytes([head[_TOTAL] & 0xF0, 0, 0, 0, 0])
    remark = None
    if total == 0:
        remark = Remark(UNKNOWN_LENGTH, "its header does not say how many samples there are")
    return ContainerLayout("FLAC", total or None, [(0, at), hidden, (at + 5, end)], remark)
