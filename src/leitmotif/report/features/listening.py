"""Reads features, sound and recurrences track by track for the pages.

**Timing.** Row t of a context has read codebook k of the frames up to t - 1 - k (the delay
pattern): all four codebooks up to frame t - 4, and only the coarser ones of the three frames after
it. So the mark of a moment is at t / 50 s, the end of the last frame that the row has read. Only
the codec's encoder hears past it, by up to 74 ms (``probe.targets``).

The first row of a context has read nothing and is the same in every track, so it is excluded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from leitmotif.corpus.tables import ManifestTrack
from leitmotif.errors import StoreError
from leitmotif.frames import FRAME_RATE
from leitmotif.probe.encoded import dense
from leitmotif.probe.targets import events_of
from leitmotif.sae.encode import read_codes
from leitmotif.tables.labels import Coverage, Label

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Context:
    """A window of a track, as the model read it."""

    start_frame: int
    frames: int
    first_row: int
    """First row in the track's encoded file."""
    onsets: Array
    """Onsets of verified recurrences in seconds from the context's start, ascending."""
    searched: float | None
    """Seconds of the context in which all recurrences are known; None if no audio follows it."""

    @property
    def rows(self) -> slice:
        """Its rows in the track's encoded file."""
        return slice(self.first_row, self.first_row + self.frames)


@dataclass(frozen=True)
class Sound:
    """Features of a track from the stage ``features``: arrays with one column per frame."""

    chroma: NDArray[np.float32]
    """[12, frames]"""
    energy: NDArray[np.float32]
    """[frames], dBFS"""
    onset: NDArray[np.float32]
    """[frames]"""


@dataclass(frozen=True)
class Track:
    """A track whose features are shown."""

    number: int
    """Index in the manifest."""
    row: ManifestTrack
    contexts: Sequence[Context]
    labels: Sequence[Label]
    complete: bool
    """Whether all its recurrences are known."""

    @property
    def begun(self) -> NDArray[np.bool_]:
        """[rows], whether the row has read anything."""
        rows = np.ones(sum(context.frames for context in self.contexts), dtype=bool)
        rows[[context.first_row for context in self.contexts]] = False
        return rows


def tracks_of(
    rows: Sequence[ManifestTrack],
    features: Path,
    labels: Iterable[Label],
    coverage: Iterable[Coverage],
    *,
    exploratory: bool,
) -> list[Track]:
    """Describe the tracks, in the manifest's order.

    Parameters
    ----------
    rows
        The manifest.
    features
        Folder of the stage ``features``.
    labels, coverage
        Rows of the stage ``labels``.
    exploratory
        Treat tracks with undecided proposals as complete, as the probes do.

    Raises
    ------
    StoreError
        If a track has no features.
    """
    covered = {row.track_id: row for row in coverage}
    by_track: dict[str, list[Label]] = {}
    for label in labels:
        by_track.setdefault(label.track_id, []).append(label)
    tracks = []
    for number, row in enumerate(rows):
        frames = len(read_sound(features, row.track_id).energy)
        found = by_track.get(row.track_id, [])
        cover = covered.get(row.track_id)
        scored = cover is not None and cover.source == "score"
        contexts, first_row = [], 0
        last = max(window.start_frame + window.frames for window in row.windows)
        for window in row.windows:
            length = min(window.frames, frames - window.start_frame)
            start = window.start_frame / FRAME_RATE
            onsets = np.sort(events_of(found, row.track_id, start_seconds=start).onsets)
            searched = None if scored else min(last, frames) / FRAME_RATE - start
            contexts.append(Context(window.start_frame, length, first_row, onsets, searched))
            first_row += length
        complete = cover is not None and (cover.complete or exploratory)
        tracks.append(Track(number, row, contexts, found, complete))
    return tracks


def read_sound(folder: Path, track_id: str) -> Sound:
    """Read a track's chroma, energy and onset strength; raises StoreError."""
    path = folder / f"{track_id}.safetensors"
    try:
        arrays = load_file(path)
        return Sound(arrays["chroma"], arrays["energy"], arrays["onset"])
    except (OSError, SafetensorError, KeyError) as error:
        raise StoreError(
            f"{path} cannot be read",
            found=error,
            expected="chroma, energy and onset",
            fix="run `dvc repro features`, or `dvc pull features`",
        ) from error


def activity(folder: Path, track: Track, numbers: Sequence[int]) -> Array:
    """Activations of features of one autoencoder in a track: [rows, len(numbers)].

    Rows that have read nothing are 0.

    Parameters
    ----------
    folder
        Encoded tracks of the autoencoder.
    track
        The track.
    numbers
        Features, ascending.

    Raises
    ------
    StoreError
        If the file and the track's contexts differ in the number of rows.
    """
    path = folder / f"{track.row.track_id}.safetensors"
    codes, _ = read_codes(path)
    expected = sum(context.frames for context in track.contexts)
    if codes.rows != expected:
        raise StoreError(
            f"{path} does not fit the track",
            found=f"{codes.rows} rows",
            expected=f"{expected}: a row for each frame of its windows",
            fix="run `dvc repro activations sae`",
        )
    values = dense(codes, np.asarray(numbers, np.int64))
    values[~track.begun] = 0
    return values
