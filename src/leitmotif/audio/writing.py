"""Writing clips as sound files."""

import io
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from leitmotif.files import atomic, explained_full_disk


def as_int16(samples: NDArray[np.floating]) -> NDArray[np.int16]:
    """Mono samples [n] between -1 and 1 as 16-bit integers; what lies beyond is clipped."""
    clipped = np.clip(np.nan_to_num(samples, posinf=1.0, neginf=-1.0), -1.0, 1.0)
    return np.round(clipped * 32767).astype(np.int16)


def write_wav(path: Path, samples: NDArray[np.int16], sample_rate: int) -> None:
    """Write mono samples [n] as 16-bit WAV, whole; raises StoreError on a full disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wav = io.BytesIO()  # libsndfile hides what goes wrong with a file
    soundfile.write(wav, samples, sample_rate, format="WAV", subtype="PCM_16")
    with explained_full_disk(path), atomic(path) as temporary:
        temporary.write_bytes(wav.getvalue())
