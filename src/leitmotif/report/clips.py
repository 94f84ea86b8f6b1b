"""Stores clips so that a page that is opened as a file can load them.

Such a page may not fetch neighbouring files, but may load them as scripts. So each clip is two
files:

- ``clips/ID.flac``: the sound for other programs;
- ``clips/ID.js``: ``leitmotifClip({...})`` with the same FLAC in base64 and the data of its
  picture: ``id``, ``rate`` (Hz), ``samples``, ``outline`` {step, data: int8 pairs lowest, highest},
  ``chroma`` {frames, frame_samples, data: uint8 [12, frames], C to B} and ``flac``. A clip that is
  only heard has no ``outline`` and no ``chroma``, which take most of the time to make.

ID is the beginning of the SHA-256 of the samples as 16-bit integers, so equal sounds share a clip.
"""

import base64
import hashlib
import io
import json
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from leitmotif.audio.features import HOP, SAMPLE_RATE, extract_features
from leitmotif.errors import StageError
from leitmotif.review.pictures import heard, outline

OUTLINE_STEP = 160
"""Samples per step of an outline: 5 ms, less than a pixel for a clip of 7 s."""
ID_DIGITS = 16


@dataclass(frozen=True)
class ReportClip:
    """A sound of the report."""

    id: str
    sample_rate: int
    samples: int

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.samples / self.sample_rate


def encode_clip(
    samples: NDArray[np.int16], sample_rate: int, *, pictured: bool = True
) -> tuple[ReportClip, dict[str, bytes]]:
    """Encode mono samples [n]; returns the clip and its files by name.

    Without ``pictured`` the clip has no data of a picture. The same samples give the same bytes.
    Raises StageError if the rate is not 32 kHz, the rate of all MusicGen models.
    """
    if sample_rate != SAMPLE_RATE or samples.ndim != 1 or len(samples) < HOP:
        raise StageError(
            "a clip cannot be shown in the report",
            found=f"shape {samples.shape} at {sample_rate} Hz",
            expected=f"mono, {SAMPLE_RATE} Hz, at least {HOP} samples",
        )
    digest = hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()
    clip = ReportClip(digest[:ID_DIGITS], sample_rate, len(samples))
    file = io.BytesIO()
    soundfile.write(file, samples, sample_rate, format="FLAC", subtype="PCM_16")
    shown = {
        "id": clip.id,
        "rate": sample_rate,
        "samples": clip.samples,
        **(_picture(samples) if pictured else {}),
        "flac": base64.b64encode(file.getvalue()).decode(),
    }
    script = f"leitmotifClip({json.dumps(shown, separators=(',', ':'))});\n"
    return clip, {f"{clip.id}.js": script.encode(), f"{clip.id}.flac": file.getvalue()}


def _picture(samples: NDArray[np.int16]) -> dict[str, object]:
    features = extract_features(samples.astype(np.float32) / np.float32(32768))
    chroma = np.round(heard(features.chroma, features.energy) * 255).astype(np.uint8)
    return {
        "outline": {"step": OUTLINE_STEP, "data": _base64(outline(samples, OUTLINE_STEP))},
        "chroma": {"frames": chroma.shape[1], "frame_samples": HOP, "data": _base64(chroma)},
    }


def _base64(values: NDArray[np.int8] | NDArray[np.uint8]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
