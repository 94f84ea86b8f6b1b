"""Ogg: whether all pages are there and sound (RFC 3533)."""

import struct
import zlib
from typing import BinaryIO

from leitmotif.audio.reading.layout import (
    DAMAGED,
    WRONG_LENGTH,
    ContainerLayout,
    LayoutError,
    check_last,
)

MAGIC = b"OggS"
_BEGINS, _ENDS = 2, 4
_BEGINNING = MAGIC + bytes([0, _BEGINS]) + bytes(8)
"""Of a stream: the mark of a page, its version, that it begins, and the position 0."""
_SKELETON = b"fishead\0"
"""Begins a stream that says something of the others."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def read_ogg(file: BinaryIO, start: int, size: int) -> ContainerLayout:
    """Read every page.

    Raises LayoutError: ``truncated`` where the last page is not marked as such or is cut,
    ``damaged`` for bytes that are no page or a wrong checksum, ``chained`` for a second stream of
    audio beside or behind the first, which libsndfile would pass over, and ``header_wrong`` where
    the position of the last page lies before that of an earlier one.
    """
    at, ended, latest = start, False, 0
    of_audio, beside = None, None
    while at < size:
        file.seek(at)
        head = file.read(27)
        if not head.strip(b"\0") and ended:
            break  # padding
        if head[:4] != MAGIC[: len(head)]:
            if ended:
                break  # a tag of another program
            raise LayoutError(DAMAGED, f"no Ogg page at byte {at}", "page after page")
        table = file.read(head[26]) if len(head) == 27 else b""
        body = file.read(sum(table))
        if len(head) < 27 or len(table) < head[26] or len(body) < sum(table):
            raise LayoutError("truncated", "a cut Ogg page at the end", "whole pages")
        kind, granule, stream = *struct.unpack("<xxxxxBq", head[:14]), head[14:18]
        if _checksum(head[:22] + bytes(4) + head[26:] + table + body) != head[22:26]:
            raise LayoutError(DAMAGED, f"a wrong checksum of the Ogg page at byte {at}", "its own")
        at += len(head) + len(table) + len(body)
        if stream == beside or body.startswith(_SKELETON):
            beside = stream
            continue
        if of_audio is not None and (kind & _BEGINS or stream != of_audio):
            raise LayoutError("chained", "several Ogg streams", "one stream")
        of_audio = stream
        if granule != -1:
            if granule < latest:
                raise LayoutError(
                    WRONG_LENGTH,
                    f"an Ogg page that ends at sample {granule}, after one at {latest}",
                    "positions that rise",
                )
            latest = granule
        ended = ended or bool(kind & _ENDS)
    if not ended:
        raise LayoutError("truncated", "no last Ogg page", "a page marked as the last one")
    check_last(file, at, _BEGINNING)
    return ContainerLayout("OGG")


def _checksum(page: bytes) -> bytes:
    """CRC-32 of a page: zlib's, with all bits in reverse and without its inversions."""
    reflected = zlib.crc32(page.translate(_REVERSED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return reflected.to_bytes(4, "big").translate(_REVERSED)
