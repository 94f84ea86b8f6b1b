"""Where a continuation starts: the first seconds of a track as codes, and other prefixes beside."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from leitmotif.audio.decode import load_audio, verified
from leitmotif.errors import AudioError, ModelError
from leitmotif.musicgen.protocol import AudioEncoder
from leitmotif.store.prompt import prompt_from_tags
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.timing.windows import start_seconds

_OPENING = "opening."


@dataclass(frozen=True)
class Opening:
    """Frames that the model itself put after a recording's prefix, by the seed of their noise."""

    seed: int
    frames: int

    @property
    def name(self) -> str:
        """What it is called among the sources of a prefix."""
        return f"{_OPENING}{self.seed}"


def opening_seed(source: str) -> int | None:
    """The seed of the opening that a source is; None if it is none."""
    number = source.removeprefix(_OPENING)
    return int(number) if number != source and number.isdecimal() else None


@dataclass(frozen=True, eq=False)
class Prefix:
    """One track to continue. Raises ModelError if a source has another shape than its codes."""

    track_id: str
    codes: Tensor
    """[K, P]."""
    prompt: str | None = None
    sources: Mapping[str, Tensor] = field(default_factory=dict)
    """Other prefixes [K, P] by name, whose runs activations may be taken from: the counterfactual,
    or a control."""
    tracks: Mapping[str, str] = field(default_factory=dict)
    """What those sources are called in the log, where that is another name: the twin of one of the
    track's slots, or another opening."""
    windows: Mapping[str, range] = field(default_factory=dict)
    """Decoder steps by name, counted from the prefix's start, as conditions name them."""
    opening: Opening | None = None
    """The end of the codes, where the model itself made it."""

    def __post_init__(self) -> None:
        for name, codes in self.sources.items():
            if codes.shape != self.codes.shape:
                raise ModelError(
                    f"the prefix {name} cannot be patched from into {self.track_id}",
                    found=f"shape {tuple(codes.shape)}",
                    expected=f"{tuple(self.codes.shape)}, so that steps correspond",
                )


def prefix_of(
    codec: AudioEncoder,
    track: ManifestTrack,
    audio_root: Path,
    *,
    seconds: float,
    window: Window | None = None,
    prompt: bool = False,
    sources: Mapping[str, Tensor] | None = None,
) -> Prefix:
    """Encode the first ``seconds`` of a window of the track, by default its first one.

    ``audio_root`` is where the manifest's paths begin; ``prompt`` makes a sentence of the track's
    tags. Raises AudioError for a file that is missing, changed or too short.
    """
    path = audio_root / track.path
    start, rate = start_seconds(window or track.windows[0]), codec.sample_rate
    with verified(path, track.sha256):
        audio = load_audio(path, sample_rate=rate, start_seconds=start, seconds=seconds)
    wanted, hop = round(seconds * codec.frame_rate), codec.samples_per_frame
    if len(audio.samples) // hop < wanted:
        raise AudioError(
            f"{track.track_id} is shorter than its prefix",
            reason="too_short",
            found=f"{audio.seconds:.2f} s from {start:g} s on",
            expected=f"{seconds:g} s",
            fix="ask for a shorter prefix",
        )
    codes = codec.encode_audio(audio.samples[: wanted * hop])[0]
    text = prompt_from_tags(track.tags) if prompt else None
    return Prefix(track.track_id, codes, text, dict(sources or {}))


def sha256_codes(codes: Tensor) -> str:
    """SHA-256 of codes as int32, little-endian, and of their shape (64 hex)."""
    array = np.ascontiguousarray(codes.cpu().to(torch.int32).numpy(), dtype="<i4")
    return hashlib.sha256(f"{array.shape}".encode() + array.tobytes()).hexdigest()
