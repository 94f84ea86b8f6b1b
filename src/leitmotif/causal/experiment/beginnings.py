"""Where a recording is continued: its first window that begins with a verified motif."""

from collections.abc import Iterable
from dataclasses import dataclass

from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.tables.labels import Label
from leitmotif.timing.windows import lasts, start_seconds


@dataclass(frozen=True)
class Beginning:
    """The start of one window of a recording, and the verified motifs in it."""

    track: ManifestTrack
    window: Window
    motifs: tuple[tuple[float, float], ...]
    """Start and length in seconds of the window, distinct and ascending."""


def beginning_of(
    track: ManifestTrack, labels: Iterable[Label], *, seconds: float, longest: float
) -> Beginning | None:
    """The first window of a track that lasts ``seconds`` and has a verified motif in them.

    Motifs longer than ``longest`` seconds, which no continuation could return, do not count. None
    if no window has one. A track has one beginning at most: two would not be independent.
    """
    of_track = [label for label in labels if label.track_id == track.track_id]
    for window in track.windows:
        motifs = set()
        for label in of_track:
            start = label.motif.start_sample / label.sample_rate - start_seconds(window)
            length = label.motif.samples / label.sample_rate
            if start >= 0 and start + length <= seconds and length <= longest:
                motifs.add((start, length))
        if motifs and lasts(window, seconds):
            return Beginning(track, window, tuple(sorted(motifs)))
    return None
