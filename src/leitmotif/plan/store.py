"""What a store of activations takes, with a file for each tensor and with shards."""

import math
from dataclasses import dataclass

from leitmotif.plan.hours import CLASSES, read_seconds
from leitmotif.plan.sizes import size_of
from leitmotif.plan.work import Reading
from leitmotif.store.reading.layout import LAYOUT

HEADER_BYTES = 2_000
"""Size of a tensor, beside its values: at most."""
_GB = 1e9


@dataclass(frozen=True)
class Prices:
    """Dollars of Amazon S3 Standard in us-east-1, without tax, as stated in 2025.

    Check https://aws.amazon.com/s3/pricing/ before you count on them; other regions cost more.
    """

    gigabyte_month: float = 0.023
    """Price of the first 50 TB."""
    put: float = 0.005 / 1000
    """Price of a request that writes."""
    get: float = 0.0004 / 1000
    """Price of a request that reads."""
    gigabyte_out: float = 0.09
    """Price of the first 10 TB a month that leave the region for the internet."""


@dataclass(frozen=True)
class Speeds:
    """What hours are computed from."""

    context_seconds: float = 7.2
    """Of the codec and the decoder for a context of 30 s of musicgen-small on two cores; the plan's
    12 min for 100 tracks."""
    disk: float = 359e6
    """Bytes a second, hashed, flushed and copied once; benchmarks/results/store.json."""
    packing: float = 0.55
    """Share of that speed with shards, which are written once more; the same file, on a machine of
    load 9."""
    network: float = 125e6
    """Bytes a second: 1 Gbit."""


PRICES, SPEEDS = Prices(), Speeds()
UPLOAD_PART = 50 * 2**20
"""Bytes that s3fs, which DVC uses, sends in a request of a file that is larger than two of them."""


@dataclass(frozen=True)
class StoreSize:
    """A store in numbers: a context a track, all of one length."""

    tracks: int
    sites: int
    contexts: int
    context_frames: int
    frame_rate: float
    width: int
    number_bytes: int
    """Bytes of an element of a tensor."""

    @property
    def tensors(self) -> int:
        """How many there are."""
        return self.tracks * self.sites

    @property
    def bytes(self) -> int:
        """Of all tensors and their headers."""
        values = self.contexts * self.context_frames * self.width * self.number_bytes
        return self.sites * (values + self.tracks * HEADER_BYTES)

    @property
    def digits(self) -> int:
        """Of the names of the shards; 0: there are none."""
        seconds = self.contexts * self.context_frames / self.frame_rate
        return LAYOUT.digits(tracks=self.tracks, sites=self.sites, seconds=seconds)

    @property
    def files(self) -> int:
        """That hold tensors, at most: a shard without a track is not there."""
        return self.tensors if not self.digits else self.sites * 2**self.digits


ALL_OF_MTG_JAMENDO = StoreSize(18_486, 72, 18_486, 1_500, 50.0, 1024, 2)
"""30 s of each track of the mood and theme subset, at three sites of each of 24 blocks."""


def upload_requests(files: int, file_bytes: float) -> int:
    """Requests by which s3fs writes so many files of one size."""
    if file_bytes < 2 * UPLOAD_PART:
        return files
    return files * (2 + math.ceil(file_bytes / UPLOAD_PART))


def store_table(
    size: StoreSize = ALL_OF_MTG_JAMENDO, prices: Prices = PRICES, speeds: Speeds = SPEEDS
) -> list[str]:
    """What a store takes as a table in Markdown, for the documentation."""
    columns = [_column(size, files, prices, speeds) for files in (size.tensors, size.files)]
    lines = ["| | a file for each tensor | shards |", "|---|---:|---:|"]
    return lines + [f"| {name} | {columns[0][name]} | {columns[1][name]} |" for name in columns[0]]


def _column(size: StoreSize, files: int, prices: Prices, speeds: Speeds) -> dict[str, str]:
    mean = size.bytes / files
    tracks = size.tracks * size.sites / files
    model = size_of("facebook/musicgen-small", None)
    h100 = CLASSES[-1]
    reading = read_seconds(h100, Reading(model, size.contexts, size.context_frames), "float32")
    return {
        "bytes": f"{size.bytes / 1e12:.2f} TB",
        "files, which are rows of the index": f"{files:,}",
        "tracks in a file": f"{tracks:.0f}",
        "mean size of a file": f"{mean / 1e6:.1f} MB",
        "written again and sent for a changed track": f"{size.sites * mean / 1e9:.2f} GB",
        "reading, two cores": _hours(size.contexts * speeds.context_seconds),
        f"the decoder alone, {h100.name}, computed": _hours(size.contexts * reading),
        "writing": _hours(size.bytes / speeds.disk / (speeds.packing if tracks > 1 else 1.0)),
        "sending at 1 Gbit/s": _hours(size.bytes / speeds.network),
        "S3, a month": f"${size.bytes / _GB * prices.gigabyte_month:,.0f}",
        "S3, requests to send it": f"${upload_requests(files, mean) * prices.put:,.2f}",
        "S3, requests to fetch it": f"${files * prices.get:,.2f}",
        "S3, bytes fetched over the internet": f"${size.bytes / _GB * prices.gigabyte_out:,.0f}",
    }


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h"
