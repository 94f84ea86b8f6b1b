"""A shard of MTG-Jamendo with synthesised recordings, in some of which a motif returns."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks._listener import Heard, Return
from leitmotif.audio.features import SAMPLE_RATE as ANALYSIS_RATE
from leitmotif.tables.base import Span
from tests.corpus.official_layout import Official, Web, publish_release

SAMPLE_RATE = 32_000
SECONDS = 42.0
"""Of a recording; the preset takes those of 40 s and more."""
NOTE = 0.5
"""Seconds of a note."""
MOTIF_NOTES = 8
STATED = 2.0
"""Second at which the motif is stated."""
SCALE = np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16])


@dataclass(frozen=True)
class Recording:
    """A recording, and where its motif sounds."""

    track: int
    """Number of the track."""
    samples: NDArray[np.float32]
    """Mono, at 32 kHz."""
    mp3: bytes
    places: tuple[float, ...]
    """Seconds at which the motif begins: its statement, then each return."""

    @property
    def track_id(self) -> str:
        """Its name in the corpus."""
        return f"track_{self.track:07d}"

    @property
    def heard(self) -> Heard:
        """What a listener hears in it."""
        rate, samples = ANALYSIS_RATE, round(NOTE * MOTIF_NOTES * ANALYSIS_RATE)
        statement, *returns = (
            Span(start_sample=round(place * rate), samples=samples) for place in self.places
        )
        return Heard(statement, [Return(window) for window in returns])


def compose(tracks: int) -> list[Recording]:
    """Synthesise so many recordings; the motif returns in every other one."""
    return [_recording(number) for number in range(tracks)]


def release(web: Web, pinned: Path, recordings: list[Recording]) -> Official:
    """Put the recordings on a server as shard 0, in the official layout."""
    members = {f"00/{recording.track}.low.mp3": recording.mp3 for recording in recordings}
    header = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS\r\n"
    rows = [
        f"{each.track_id}\tartist_{each.track:06d}\talbum_{each.track:06d}"
        f"\t00/{each.track}.mp3\t{SECONDS}\tinstrument---piano"
        for each in recordings
    ]
    licences = [
        f"00/{recording.track}.mp3\n"
        f"Piece {recording.track} by Nobody from Jamendo: "
        f"http://www.jamendo.com/track/{recording.track}\n"
        "Available under a Creative Commons Attribution license: "
        "http://creativecommons.org/licenses/by/3.0/\n\n"
        for recording in recordings
    ]
    tags = header + "".join(f"{row}\r\n" for row in rows)
    return publish_release(web, pinned, members, tags=tags, licences="".join(licences))


def _recording(number: int) -> Recording:
    random = np.random.default_rng(number)
    notes = _walk(random, round(SECONDS / NOTE))
    motif = _walk(random, MOTIF_NOTES)
    # Early enough for the nearest horizon: rows end 15 s, the furthest one, before the window does.
    returns = () if number % 2 else (STATED + 8.0 + number // 2 % 4,)
    places = (STATED, *returns)
    for place in places:
        first = round(place / NOTE)
        notes[first : first + MOTIF_NOTES] = motif
    file, samples = io.BytesIO(), _sound(notes, 40 + number % 5)
    soundfile.write(file, samples, SAMPLE_RATE, format="MP3")
    return Recording(100 + number, samples, file.getvalue(), places)


def _walk(random: np.random.Generator, notes: int) -> NDArray[np.int64]:
    """Pitches [notes] in semitones, each another than the one before it."""
    steps = np.cumsum(random.integers(1, len(SCALE), notes)) % len(SCALE)
    return np.asarray(SCALE[steps], np.int64)


def _sound(notes: NDArray[np.int64], lowest: int) -> NDArray[np.float32]:
    """A plucked tone with five harmonics for each note, at 32 kHz; ``lowest`` is a MIDI number."""
    time = np.arange(round(NOTE * SAMPLE_RATE)) / SAMPLE_RATE
    fade = np.exp(-3 * time) * np.minimum(1, time / 0.01)
    tones = []
    for note in notes:
        pitch = 440 * 2 ** ((lowest + 12 + int(note) - 69) / 12)
        harmonics = sum(np.sin(2 * np.pi * pitch * h * time) / h**1.5 for h in range(1, 6))
        tones.append(0.25 * fade * harmonics)
    return np.concatenate(tones).astype(np.float32)
