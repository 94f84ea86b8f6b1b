"""Recordings of every container, and headers changed by hand: no sox, no ffmpeg."""

import io
import struct

import numpy as np
import soundfile

RATE = 22_050
SECONDS = 2


def tone(rate: int = RATE, channels: int = 1, seconds: float = SECONDS) -> np.ndarray:
    times = np.arange(round(rate * seconds)) / rate
    voices = [0.3 * np.sin(2 * np.pi * 330 * (channel + 1) * times) for channel in range(channels)]
    return np.stack(voices, axis=1).astype(np.float32)


def encoded(samples: np.ndarray, container: str, rate: int = RATE, **settings: object) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=container, **settings)
    return buffer.getvalue()


def flac_total(content: bytes, total: int) -> bytes:
    """FLAC whose STREAMINFO says ``total`` samples."""
    changed = bytearray(content)
    changed[21] = changed[21] & 0xF0 | total >> 32
    changed[22:26] = struct.pack(">I", total & 0xFFFF_FFFF)
    return bytes(changed)


def wav_data_size(content: bytes, size: int) -> bytes:
    """WAV whose data chunk says ``size`` bytes."""
    at = content.index(b"data") + 4
    return content[:at] + struct.pack("<I", size) + content[at + 4 :]


def rf64_data_size(content: bytes, size: int) -> bytes:
    """RF64 whose ds64 chunk says ``size`` bytes of samples."""
    at = content.index(b"ds64") + 16
    return content[:at] + struct.pack("<Q", size) + content[at + 8 :]


def aiff_frames(content: bytes, frames: int) -> bytes:
    """AIFF whose COMM chunk says ``frames``."""
    at = content.index(b"COMM") + 10
    return content[:at] + struct.pack(">I", frames) + content[at + 4 :]


def au_size(content: bytes, size: int) -> bytes:
    """AU whose header says ``size`` bytes of samples."""
    return content[:8] + struct.pack(">I", size) + content[12:]


def caf_size(content: bytes, size: int) -> bytes:
    """CAF whose data chunk says ``size`` bytes."""
    at = content.index(b"data") + 4
    return content[:at] + struct.pack(">q", size) + content[at + 8 :]


def wav_format(content: bytes, *, rate: int | None = None, channels: int | None = None) -> bytes:
    """WAV with another rate or number of channels in its format chunk."""
    changed, at = bytearray(content), content.index(b"fmt ") + 8
    if channels is not None:
        changed[at + 2 : at + 4] = struct.pack("<H", channels)
    if rate is not None:
        changed[at + 4 : at + 8] = struct.pack("<I", rate)
    return bytes(changed)


def xing_place(content: bytes) -> int:
    return max(content[:200].find(b"Xing"), content[:200].find(b"Info"))


def mp3_frames(content: bytes, frames: int) -> bytes:
    """MP3 whose Xing header counts ``frames``."""
    at = xing_place(content) + 8
    return content[:at] + struct.pack(">I", frames) + content[at + 4 :]


def mp3_without_xing(content: bytes) -> bytes:
    at = xing_place(content)
    return content[:at] + bytes(4) + content[at + 4 :]


def id3(size: int) -> bytes:
    """An ID3v2 tag with ``size`` bytes of padding."""
    syncsafe = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\4\0\0" + syncsafe + bytes(size)


def ogg_last_granule(content: bytes, granule: int) -> bytes:
    """Ogg whose last page says that it ends at sample ``granule``, with the right checksum."""
    at = content.rindex(b"OggS")
    page = bytearray(content[at:])
    page[6:14] = struct.pack("<q", granule)
    page[22:26] = bytes(4)
    page[22:26] = struct.pack("<I", ogg_checksum(bytes(page)))
    return content[:at] + bytes(page)


def ogg_checksum(page: bytes) -> int:
    """CRC-32 of RFC 3533, bit by bit."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C1_1DB7 if value & 1 << 31 else 0)) & 0xFFFF_FFFF
    return value


def ogg_side_by_side(first: bytes, second: bytes) -> bytes:
    """Ogg with two streams: the first page of each, then all other pages of each."""
    ends = [content.index(b"OggS", 4) for content in (first, second)]
    return first[: ends[0]] + second[: ends[1]] + first[ends[0] :] + second[ends[1] :]
