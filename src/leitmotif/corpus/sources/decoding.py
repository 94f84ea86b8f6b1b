"""What decoding says of each recording of a corpus: its length, and whether it came before."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leitmotif.audio.each import each_recording
from leitmotif.audio.reading.failures import named_failure
from leitmotif.audio.reading.layout import Remark
from leitmotif.audio.reading.source import blocks, opened
from leitmotif.errors import AudioError


@dataclass(frozen=True)
class Decoded:
    """A recording that was decoded from beginning to end."""

    seconds: float
    samples_sha256: str
    """Of its decoded samples, rate and channels. It may differ between processors, whose MP3
    decoders round differently, and serves for comparison within one run only."""
    remark: Remark | None


def decode_whole(path: Path) -> Decoded:
    """Decode a recording in blocks, however long it is; raises AudioError as ``decode`` does."""
    with named_failure(path), opened(path) as source:
        digest = hashlib.sha256(f"{source.sample_rate} {source.channels} ".encode())
        frames = 0
        for block in blocks(source):
            frames += len(block)
            digest.update(np.ascontiguousarray(block).data)
        return Decoded(frames / source.sample_rate, digest.hexdigest(), source.remark)


def decode_all(paths: Sequence[Path]) -> Iterator[Decoded | AudioError]:
    """Decode each recording, side by side, in their order; what cannot be used gives its error."""
    return each_recording(decode_whole, paths, path=Path)
