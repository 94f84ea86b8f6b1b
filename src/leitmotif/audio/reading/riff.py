"""WAV: RIFF and RF64 chunks, and whether the samples are all there (EBU Tech 3306 on RF64)."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from leitmotif.audio.reading.layout import (
    UNKNOWN_LENGTH,
    WRONG_LENGTH,
    ContainerLayout,
    LayoutError,
    Piece,
    Remark,
)

_UNKNOWN = 0xFFFF_FFFF
_PLAIN = {1, 3, 0xFFFE}
"""Format tags of samples of a fixed size: integers, floats, and either one with a channel mask."""
_MOST_CHUNKS = 10_000
_TOLERATED_BYTES = 4096
"""Behind the samples, which are no chunk: tags and padding of careless programs."""


@dataclass
class _Chunks:
    block: int | None = None
    """Bytes of one sample in all channels; None where a sample has no fixed size."""
    data: int | None = None
    """Where the samples begin."""
    bytes: int = 0
    """Bytes of samples that the header promises."""


def read_riff(file: BinaryIO, start: int, size: int) -> ContainerLayout:
    """Read the chunks up to the samples.

    Raises LayoutError: ``truncated`` where the file ends before its samples do, ``header_wrong``
    where sizes contradict each other.
    """
    file.seek(start)
    magic = file.read(12)
    order = ">" if magic[:4] == b"RIFX" else "<"
    chunks = _find_data(file, start + 12, size, order)
    if chunks.data is None:
        raise LayoutError("truncated", "a WAV file without samples", "a chunk named data")
    left = size - chunks.data
    unknown = chunks.bytes == _UNKNOWN
    if chunks.bytes == 0 and left > 0 and not _are_chunks(file, chunks.data, size, order):
        unknown = True
    if unknown:
        # The size of RF64 stands in another chunk, which RIFF does not know.
        name = b"RIFF" if magic[:4] == b"RF64" else magic[:4]
        view: list[Piece] = [
            name,  # without tags before it, by which libsndfile would shorten the samples
            (start + 4, chunks.data - 4),
            struct.pack(order + "I", min(left, _UNKNOWN - 1)),
            (chunks.data, size),
        ]
        remark = Remark(UNKNOWN_LENGTH, "its header does not say how many samples there are")
        return ContainerLayout("WAV", None, view, remark)
    if chunks.bytes > left:
        raise LayoutError(
            "truncated", f"{left} bytes of samples", f"{chunks.bytes}, as its header says"
        )
    behind = left - chunks.bytes
    after = chunks.data + chunks.bytes
    if behind > _TOLERATED_BYTES and not _are_chunks(file, after, size, order):
        raise LayoutError(
            WRONG_LENGTH,
            f"{behind} bytes behind the samples, which belong to nothing",
            f"{chunks.bytes} bytes of samples, as its header says, and then the end",
        )
    frames = None if chunks.block is None else chunks.bytes // chunks.block
    return ContainerLayout("WAV", frames)


def _find_data(file: BinaryIO, at: int, size: int, order: str) -> _Chunks:
    chunks, large = _Chunks(), None
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            break
        name, length = struct.unpack(order + "4sI", head)
        body = at + 8
        if name == b"ds64":
            large = struct.unpack("<QQQ", file.read(24).ljust(24, b"\0"))[1]
        if name == b"fmt ":
            chunks.block = _block(file.read(16).ljust(16, b"\0"), order)
        if name == b"data":
            chunks.data = body
            chunks.bytes = large if length == _UNKNOWN and large else length
            break
        at = body + length + length % 2
        if at > size:
            raise LayoutError(
                "truncated", f"a file of {size} bytes", f"{at}, as its chunk {name!r} says"
            )
    return chunks


def _block(fields: bytes, order: str) -> int | None:
    tag, channels, _, _, block, bits = struct.unpack(order + "HHIIHH", fields)
    if tag not in _PLAIN:
        return None
    if block != channels * ((bits + 7) // 8) or not block:
        raise LayoutError(
            WRONG_LENGTH,
            f"{channels} channels of {bits} bits in {block} bytes",
            "a size of a sample that fits its channels and bits",
        )
    return int(block)


def _are_chunks(file: BinaryIO, at: int, size: int, order: str) -> bool:
    """Whether the rest of the file reads as chunks to its end; a pad byte may be missing."""
    return any(_is_chain(file, at + pad, size, order) for pad in (0, 1))


def _is_chain(file: BinaryIO, at: int, size: int, order: str) -> bool:
    for _ in range(_MOST_CHUNKS):
        if at >= size:
            return True
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or not all(32 <= letter < 127 for letter in head[:4]):
            return not head.strip(b"\0")
        length = struct.unpack(order + "I", head[4:])[0]
        at += 8 + length + length % 2
        if at > size + 1:
            return False
    return False
