"""Reads features, sound and recurrences track by track for the pages.

**Timing.** Row t of a context has read codebook k of the frames up to t - 1 - its delay: of
MusicGen's, all four codebooks up to frame t - 4, and of the three frames after it the coarser ones.
So the mark of a moment stands at t / frame rate, where the last frame that the row has read ends.
The codec's encoder hears a little past it (``leitmotif.timing.frames.Timing``); nothing else does.

The first row of a context has read nothing and is the same in every track, so it is excluded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from leitmotif.errors import StoreError, counted
from leitmotif.files.restoring import how_to_restore
from leitmotif.probe.features.encoded import dense
from leitmotif.probe.inputs.targets import Spans, events_of, known_spans
from leitmotif.sae.autoencoder.encode import read_codes
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tensors import read_tensors
from leitmotif.timing.frames import Timing, frames_ended
from leitmotif.timing.windows import windows_at

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ListenedContext:
    """A window of a track, as the model read it; frames are the model's."""

    start_frame: int
    frames: int
    first_row: int
    """First row in the track's encoded file."""
    onsets: Array
    """Onsets of verified recurrences in seconds from the context's start, ascending."""
    known: Spans | None
    """Where every onset is known, in seconds from the context's start; None: everywhere."""
    timing: Timing
    """Where its rows lie in the audio."""

    @property
    def rows(self) -> slice:
        """Its rows in the track's encoded file."""
        return slice(self.first_row, self.first_row + self.frames)


@dataclass(frozen=True)
class ListenedSound:
    """Features of a track from the stage ``features``: arrays with one column per frame."""

    chroma: NDArray[np.float32]
    """[12, frames]"""
    energy: NDArray[np.float32]
    """[frames], dBFS"""
    onset: NDArray[np.float32]
    """[frames]"""
    frame_rate: float
    """Frames a second, which need not be the model's."""


@dataclass(frozen=True)
class Track:
    """A track whose features are shown."""

    number: int
    """Index in the manifest."""
    row: ManifestTrack
    contexts: Sequence[ListenedContext]
    labels: Sequence[Label]
    complete: bool
    """Whether all its recurrences are known."""

    @property
    def partly(self) -> bool:
        """Whether some of its recurrences are known to be all that there are, and not all."""
        return not self.complete and any(context.known for context in self.contexts)

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
    timing: Timing,
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
    timing
        Where rows of the encoded features lie in the audio.
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
    tracks, rate = [], timing.frame_rate
    for number, row in enumerate(rows):
        sound = read_sound(features, row.track_id)
        frames = int(frames_ended(len(sound.energy), sound.frame_rate, rate))
        of_track = by_track.get(row.track_id, [])
        cover = covered.get(row.track_id)
        contexts, first_row = [], 0
        windows = windows_at(row.windows, rate)
        last = max(window.start_frame + window.frames for window in windows)
        known: Spans | None = []
        if cover is not None:
            known = known_spans(cover, min(last, frames) / rate, exploratory=exploratory)
        for window in windows:
            length = min(window.frames, frames - window.start_frame)
            start = window.start_frame / rate
            onsets = np.sort(events_of(of_track, row.track_id, start_seconds=start).onsets)
            here = None if known is None else [(a - start, b - start) for a, b in known]
            contexts.append(
                ListenedContext(window.start_frame, length, first_row, onsets, here, timing)
            )
            first_row += length
        complete = cover is not None and (cover.complete or exploratory)
        tracks.append(Track(number, row, contexts, of_track, complete))
    return tracks


def read_sound(folder: Path, track_id: str) -> ListenedSound:
    """Read a track's chroma, energy and onset strength; raises StoreError."""
    path = folder / f"{track_id}.safetensors"
    try:
        arrays, header = read_tensors(path)
        rate = float(header["frame_rate"])
        return ListenedSound(arrays["chroma"], arrays["energy"], arrays["onset"], rate)
    except (OSError, SafetensorError, KeyError) as error:
        raise StoreError(
            f"{path} cannot be read",
            found=error,
            expected="chroma, energy and onset, and their frame_rate",
            fix=how_to_restore("features"),
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
            found=counted(codes.rows, "row"),
            expected=f"{expected}: a row for each frame of its windows",
            fix="run `dvc repro activations sae`",
        )
    values = dense(codes, np.asarray(numbers, np.int64))
    values[~track.begun] = 0
    return values
