"""Which file of a store a tensor is in: one of its own, or a shard with those of other tracks.

A shard holds one site of the tracks whose ids have SHA-256 sums that begin, in binary, with the
digits of its name. So a track's shard depends on no other track, and with one digit more each shard
splits in two.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from leitmotif.tables.corpus import ManifestTrack
from leitmotif.timing.windows import WINDOW_RATE


@dataclass(frozen=True)
class StoreLayout:
    """When a store has shards, and how large they are; the same for every model and precision."""

    sharded_above: int = 10_000
    """Tensors. A store with more of them has shards, for file systems, DVC and S3 count files."""
    shard_seconds: float = 4_096.0
    """Of audio in the contexts of a shard, at most on average; half of it at least. At 50 frames
    a second, width 1,024 and float16 these are 210 to 420 MB."""

    def digits(self, *, tracks: int, sites: int, seconds: float) -> int:
        """How many binary digits name a shard: a site has 2^digits; 0: a file for each tensor.

        ``seconds`` are those of all contexts of a site.

        >>> StoreLayout().digits(tracks=18_486, sites=72, seconds=18_486 * 30.0)
        8
        """
        if tracks * sites <= self.sharded_above:
            return 0
        return max(1, math.ceil(seconds / self.shard_seconds) - 1).bit_length()

    def digits_for(self, tracks: Sequence[ManifestTrack], sites: int) -> int:
        """The same for tracks of a manifest."""
        frames = sum(window.frames for track in tracks for window in track.windows)
        return self.digits(tracks=len(tracks), sites=sites, seconds=frames / WINDOW_RATE)


LAYOUT = StoreLayout()


def shard_of(track_id: str, digits: int) -> str:
    """The first binary digits of the SHA-256 of a track's id, at most 64.

    >>> shard_of("1076616", 4)
    '0111'
    """
    first = int.from_bytes(hashlib.sha256(track_id.encode()).digest()[:8], "big")
    return f"{first:064b}"[:digits]


def shard_file(site: str, shard: str) -> str:
    """Path of a shard, relative to the store, with forward slashes; no track's file has its name.

    >>> shard_file("layers.1.residual", "0110")
    'layers.1.residual/shard.0110.safetensors'
    """
    return f"{site}/shard.{shard}.safetensors"
