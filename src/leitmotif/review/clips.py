"""Short clips for the page: cut exactly to the sample, kept as WAV files, made once per track.

A clip holds a window with some context on either side, so that the page can play the context and
move the window's edges without asking again. Samples are rounded to 16 bits, as the composer's are,
so that a last-digit difference between decoders does not change a clip's hash.
"""

import hashlib
import io
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from leitmotif.audio.decode import load_audio, verified
from leitmotif.errors import AudioError
from leitmotif.files import atomic, sha256_json
from leitmotif.files.provenance import code_version
from leitmotif.review.failures import RefusedError
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack

Pcm = NDArray[np.int16]
CONTEXT_SECONDS = 4.0
"""Audio on either side of a window; also how far an edge can be moved."""


@dataclass(frozen=True)
class WindowClip:
    """A window of a track and the file that holds it."""

    name: str
    """64 hex digits: the file is NAME.wav."""
    start_sample: int
    """Where in the track the clip begins."""
    end_sample: int
    """Where it ends, unless the recording ends earlier."""
    window: Span
    """What is asked about, in samples of the track."""


class ClipStore:
    """WAV clips in ``folder``, cut from the recordings below ``corpus``; safe between threads."""

    def __init__(self, folder: Path, corpus: Path) -> None:
        self.folder, self.corpus = folder, corpus
        self._code = code_version(__name__)
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def clip(
        self, track: ManifestTrack, window: Span, sample_rate: int, *, within: Span | None = None
    ) -> WindowClip:
        """Name the clip of a window; ``cut`` makes its file.

        It holds the window, or the longer section ``within``, and some context on either side.
        """
        held = within or window
        margin = round(CONTEXT_SECONDS * sample_rate)
        start = max(0, held.start_sample - margin)
        end = held.start_sample + held.samples + margin
        name = sha256_json([track.sha256, sample_rate, start, end, self._code])
        return WindowClip(name, start, end, window)

    def path(self, name: str) -> Path:
        """Where a clip's file is, if it was cut."""
        return self.folder / f"{name}.wav"

    def cut(self, track: ManifestTrack, clips: Iterable[WindowClip], sample_rate: int) -> None:
        """Make the files of clips of one track that are not there yet; decodes it at most once.

        Raises AudioError as ``load_audio`` and ``verified`` do, and OSError when a file cannot
        be written.
        """
        with self._lock_of(track.sha256):
            missing = [clip for clip in clips if not self.path(clip.name).exists()]
            if not missing:
                return
            source = self.corpus / track.path
            with verified(source, track.sha256):
                samples = to_pcm(load_audio(source, sample_rate=sample_rate).samples)
            for clip in missing:
                self._write(clip, samples, sample_rate)

    def read(self, clip: WindowClip, sample_rate: int) -> Pcm:
        """Read a clip that was cut, [samples]; raises AudioError if the window lies beyond it."""
        samples, _ = soundfile.read(self.path(clip.name), dtype="int16")
        window_end = clip.window.start_sample + clip.window.samples
        clip_end = clip.start_sample + len(samples)
        if clip_end < window_end:
            length = "of" if len(samples) else "of at most"
            raise AudioError(
                "the window lies beyond the end of the recording",
                reason="beyond_end",
                found=f"a recording {length} {clip_end / sample_rate:.2f} s",
                expected=f"at least {window_end / sample_rate:.2f} s ({window_end} samples)",
                fix="reject the item, or run `dvc repro proposals` if the recording was replaced",
            )
        return np.asarray(samples, np.int16)

    def sha256(self, clip: WindowClip, window: Span, sample_rate: int) -> str:
        """Hash the WAV file of ``window``, a part of ``clip``: what was judged.

        Raises RefusedError if it is not a part of it.
        """
        first = window.start_sample - clip.start_sample
        samples = self.read(clip, sample_rate)[max(0, first) : first + window.samples]
        if first < 0 or len(samples) < window.samples:
            raise RefusedError(
                "the window was moved out of its clip",
                found=f"samples {window.start_sample} to {window.start_sample + window.samples}",
                expected=f"a window that begins at sample {clip.start_sample} or later and ends "
                "where the clip does",
            )
        return hashlib.sha256(wav(samples, sample_rate)).hexdigest()

    def _write(self, clip: WindowClip, samples: Pcm, sample_rate: int) -> None:
        with atomic(self.path(clip.name)) as temporary:
            temporary.write_bytes(wav(samples[clip.start_sample : clip.end_sample], sample_rate))

    def _lock_of(self, sha256: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(sha256, threading.Lock())


def to_pcm(samples: NDArray[np.float32]) -> Pcm:
    """Round samples in [-1, 1] to 16 bits, clipping what a decoder lets overshoot: [n] -> [n]."""
    return np.clip(np.round(samples * 32767), -32768, 32767).astype(np.int16)


def wav(samples: Pcm, sample_rate: int) -> bytes:
    """Lay 16-bit mono samples [n] out as a WAV file; the same samples give the same bytes."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
