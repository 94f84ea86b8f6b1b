"""MP3: every frame counted, for its header counts them only if the encoder was kind (ISO 11172-3).

The number of frames stands in a first frame without sound, marked Xing or Info, if anywhere.
"""

import re
from dataclasses import dataclass
from typing import BinaryIO

from leitmotif.audio.reading.layout import (
    DAMAGED,
    UNKNOWN_LENGTH,
    WRONG_LENGTH,
    ContainerLayout,
    LayoutError,
    Piece,
    Remark,
)

_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""Hz, by version (3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5)."""
_KILOBITS = {
    (True, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By whether it is MPEG 1, and by the layer's bits: 3 is layer I, 1 is layer III."""
_RESYNC_BYTES = 1 << 16
"""Searched for the next frame, as mpg123 does."""
_MOST_OTHERS = 2
"""Frames of another format, such as damage makes; more of them are another stream."""
_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3")
_HEAD = re.compile(rb"\xff(?=[\xe2-\xe7\xf2-\xff][\x10-\xef])")
"""How the head of a frame begins; not all that begin so are one."""
_RUN = 4
"""Frames of one format in a row, which no picture in a tag holds by chance."""


@dataclass(frozen=True)
class _Frame:
    head: bytes
    length: int
    samples: int

    @property
    def mpeg1(self) -> bool:
        return bool(self.head[1] & 0x08)

    @property
    def mono(self) -> bool:
        return self.head[3] >> 6 == 3

    @property
    def format(self) -> tuple[int, int, bool]:
        """Version and layer, sample rate, channels: what the frames of a stream share."""
        return self.head[1] & 0x1E, self.head[2] & 0x0C, self.mono

    @property
    def side(self) -> int:
        """Bytes before the mark of a frame that counts the others."""
        return 4 + ((17 if self.mono else 32) if self.mpeg1 else (9 if self.mono else 17))


@dataclass(frozen=True)
class _Mark:
    xing: bool
    """Whether it is Xing's, which libsndfile reads, and not Fraunhofer's (VBRI)."""
    place: int
    """Offset of the number within the frame."""
    frames: int | None
    """Frames that follow; None if the header does not say."""


@dataclass
class _Scan:
    frames: int = 0
    skipped: int = 0
    others: int = 0
    """Frames of another format than the first."""
    cut: bool = False
    end: int = 0
    """Where what is decoded ends."""


def read_mpeg(file: BinaryIO, start: int, size: int) -> ContainerLayout | None:
    """Count the frames from ``start``; None if there is none within 64 KiB.

    Raises LayoutError ``truncated`` where there are fewer than the file counts itself, or where it
    ends within a frame, and ``chained`` where decoding would end before the audio does: where the
    sample rate or the number of channels changes, or at a tag or a gap with more frames behind it.
    """
    first = _next_frame(file, start, size)
    if first is None:
        return None
    at, frame = first
    file.seek(at)
    content = file.read(frame.length)
    mark = _mark(content, frame)
    if mark is not None:
        at += frame.length
    scan = _scan(file, at, size, frame)
    counted = None if mark is None else mark.frames
    _check_whole(scan, counted, frame)
    _check_last(file, scan, size)
    number = scan.frames.to_bytes(4, "big")
    if mark is not None and mark.xing and counted is not None:
        if scan.frames <= counted + 1:  # some encoders count the first frame too
            damage = Remark(DAMAGED, f"{scan.skipped} bytes between its frames are no audio")
            return ContainerLayout("MP3", remark=damage if scan.skipped else None)
        place = at - frame.length + mark.place
        view: list[Piece] = [(0, place), number, (place + 4, size)]
        detail = f"its header counts {counted} frames, and there are {scan.frames}"
        return ContainerLayout("MP3", view=view, remark=Remark(WRONG_LENGTH, detail))
    detail = "its header does not say how many frames there are"
    remark = Remark(UNKNOWN_LENGTH, detail) if counted is None else None
    return ContainerLayout("MP3", view=[_counting(frame, number), (at, size)], remark=remark)


def _check_whole(scan: _Scan, counted: int | None, frame: _Frame) -> None:
    if scan.others > _MOST_OTHERS:
        raise LayoutError(
            "chained",
            f"{scan.others} MP3 frames of another sample rate or number of channels than the first",
            "one stream",
        )
    if counted is not None and scan.frames < counted - 1:
        raise LayoutError(
            "truncated",
            f"{scan.frames} MP3 frames ({scan.frames * frame.samples} samples)",
            f"{counted} ({counted * frame.samples} samples), as its header says",
        )
    if counted is None and scan.cut:
        raise LayoutError("truncated", "a cut MP3 frame at the end", "whole frames")


def _check_last(file: BinaryIO, scan: _Scan, size: int) -> None:
    """Refuse frames behind those that are decoded, as two files have that were joined."""
    at = scan.end
    while at < size - 3:
        following = _next_frame(file, at, size)
        if following is None:
            at += _RESYNC_BYTES - 3
            continue
        at, frame = following
        if _runs(file, at, frame):
            found = f"MP3 frames at byte {at}, behind an end at byte {scan.end}"
            raise LayoutError("chained", found, "one stream")
        at += 1


def _runs(file: BinaryIO, at: int, first: _Frame) -> bool:
    frame: _Frame | None = first
    for _ in range(_RUN):
        if frame is None or frame.format != first.format:
            return False
        at += frame.length
        file.seek(at)
        frame = _parse(file.read(4))
    return True


def _mark(content: bytes, frame: _Frame) -> _Mark | None:
    """What the first frame says of the others; None if it is one of them."""
    if content[frame.side : frame.side + 4] in (b"Xing", b"Info"):
        place = frame.side + 8
        says = len(content) >= place + 4 and content[frame.side + 7] & 1
        count = int.from_bytes(content[place : place + 4], "big") if says else None
        return _Mark(True, place, count)
    if content[36:40] == b"VBRI" and len(content) >= 54:
        return _Mark(False, 50, int.from_bytes(content[50:54], "big"))
    return None


def _counting(frame: _Frame, number: bytes) -> bytes:
    """A frame without sound that says how many follow, of the kind of ``frame``."""
    head = bytearray(frame.head)
    head[1] |= 1  # no checksum
    for index in range(1, 15):
        head[2] = (head[2] & 0x0D) | index << 4
        made = _parse(bytes(head))
        if made is not None and made.length >= made.side + 12:
            break
    assert made is not None
    mark = b"Info" + (1).to_bytes(4, "big") + number
    return (bytes(head).ljust(made.side, b"\0") + mark).ljust(made.length, b"\0")


def _scan(file: BinaryIO, at: int, size: int, first: _Frame) -> _Scan:
    scan = _Scan()
    while at < size:
        file.seek(at)
        head = file.read(11)
        frame = _parse(head[:4])
        if frame is None:
            if head.startswith(_TAGS) or not head.strip(b"\0"):
                break
            following = _next_frame(file, at, size)
            if following is None:
                scan.cut = size - at < 4  # too little for a frame's head
                break
            scan.skipped += following[0] - at
            at = following[0]
            continue
        if at + frame.length > size:
            scan.cut = True
            break
        scan.frames += 1
        scan.others += frame.format != first.format
        at += frame.length
    scan.end = at
    return scan


def _next_frame(file: BinaryIO, at: int, size: int) -> tuple[int, _Frame] | None:
    """The next frame that another one, or the end, follows."""
    file.seek(at)
    block = file.read(_RESYNC_BYTES)
    for begun in _HEAD.finditer(block):
        place = begun.start()
        frame = _parse(block[place : place + 4])
        if frame is not None:
            file.seek(at + place + frame.length)
            follower = file.read(4)
            near_end = at + place + frame.length >= size - 3
            if near_end or _parse(follower) is not None or follower[:3] in (b"TAG", b"APE"):
                return at + place, frame
    return None


def _parse(head: bytes) -> _Frame | None:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 0 or rate == 3 or bit_rate in (0, 15):
        return None
    mpeg1, padding = version == 3, head[2] >> 1 & 1
    bits, hertz = _KILOBITS[mpeg1, layer][bit_rate - 1] * 1000, _RATES[version][rate]
    if layer == 3:
        return _Frame(head, (12 * bits // hertz + padding) * 4, 384)
    samples = 1152 if mpeg1 or layer == 2 else 576
    return _Frame(head, samples // 8 * bits // hertz + padding, samples)
