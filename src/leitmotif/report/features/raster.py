"""Picture of the activity in all tracks: one line per track, time in columns."""

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leitmotif.report.features.places import RasterLine

COLOUR = (22, 148, 136)
"""Colour of full activity, for light and dark pages; less activity is more transparent."""
_BEND = 0.7
"""Exponent of opacity; a value below 1 keeps weak activity visible."""


def raster_png(lines: Sequence[RasterLine], largest: float) -> str:
    """Draw lines below each other as a PNG, transparent without activity; returns a data URL."""
    width = max(len(line.values) for line in lines)
    opacity = np.zeros((len(lines), width), np.uint8)
    for row, line in enumerate(lines):
        share = np.clip(line.values / (largest or 1.0), 0, 1) ** _BEND
        opacity[row, : len(share)] = np.round(255 * share)
    return "data:image/png;base64," + base64.b64encode(_png(opacity)).decode()


def _png(opacity: NDArray[np.uint8]) -> bytes:
    """One colour at each pixel's opacity [height, width]: a palette of 256 with transparency."""
    height, width = opacity.shape
    rows = b"".join(b"\0" + row.tobytes() for row in opacity)  # each row unfiltered
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", bytes(COLOUR) * 256),
            _chunk(b"tRNS", bytes(range(256))),
            _chunk(b"IDAT", zlib.compress(rows, 9)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )
