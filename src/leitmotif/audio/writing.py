"""Writing clips as sound files."""

import io
from base64 import b64encode
from html import escape
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from leitmotif.files import atomic, explained_full_disk


def as_int16(samples: NDArray[np.floating]) -> NDArray[np.int16]:
    """Mono samples [n] between -1 and 1 as 16-bit integers; what lies beyond is clipped."""
    clipped = np.clip(np.nan_to_num(samples, posinf=1.0, neginf=-1.0), -1.0, 1.0)
    return np.round(clipped * 32767).astype(np.int16)


def described(samples: NDArray[np.floating], sample_rate: int) -> str:
    """Length, rate and peak of mono samples [n], for a repr.

    >>> described(np.array([0.5, -0.25]), 1000)
    '0.002 s at 1000 Hz, mono, peak 0.5'
    """
    peak = float(np.abs(samples).max()) if len(samples) else 0.0
    return f"{len(samples) / sample_rate:.4g} s at {sample_rate} Hz, mono, peak {peak:.3g}"


def player(samples: NDArray[np.floating], sample_rate: int, caption: str) -> str:
    """HTML that plays mono samples [n] in a notebook, as loud as they are; 1.3 bytes a sample byte.

    The sound is in the page itself, as 16-bit WAV.
    """
    wav = io.BytesIO()
    soundfile.write(wav, as_int16(samples), sample_rate, format="WAV", subtype="PCM_16")
    sound = b64encode(wav.getvalue()).decode("ascii")
    return (
        f"<figure><figcaption><code>{escape(caption)}</code></figcaption>"
        f'<audio controls src="data:audio/wav;base64,{sound}"></audio></figure>'
    )


def write_wav(path: Path, samples: NDArray[np.int16], sample_rate: int) -> None:
    """Write mono samples [n] as 16-bit WAV, whole; raises StoreError on a full disk."""
    wav = io.BytesIO()  # libsndfile hides what goes wrong with a file
    soundfile.write(wav, samples, sample_rate, format="WAV", subtype="PCM_16")
    with explained_full_disk(path), atomic(path) as temporary:
        temporary.write_bytes(wav.getvalue())
