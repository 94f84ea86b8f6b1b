"""The manifest's windows as frames of a model, and of a recording as long as it is.

A manifest is written before any model is loaded, so it counts in a unit of its own, 1/50 s. A model
with another frame rate reads the whole frames of its own that lie within a window.
"""

from collections.abc import Sequence

from leitmotif.errors import AudioError
from leitmotif.tables.corpus import Window
from leitmotif.timing.frames import first_frame_from, frames_ended

WINDOW_RATE = 50
"""Units a second in which a manifest counts its windows."""
SLACK_SECONDS = 1.0
"""Durations in metadata are rounded: audio may end this much before its last window does."""


def windows_at(windows: Sequence[Window], rate: float) -> list[Window]:
    """The windows of a manifest in frames at ``rate``: the whole frames within each.

    Raises AudioError (``too_short``) for a window that holds none.
    """
    at_rate = []
    for window in windows:
        start = first_frame_from(window.start_frame, WINDOW_RATE, rate)
        end = int(frames_ended(window.start_frame + window.frames, WINDOW_RATE, rate))
        if end <= start:
            raise AudioError(
                "a window of the manifest is shorter than a frame of the model",
                reason="too_short",
                found=f"{window.frames / WINDOW_RATE:.3f} s",
                expected=f"at least {1 / rate:.3f} s",
                fix="lengthen manifest.window_seconds",
            )
        at_rate.append(Window(start_frame=start, frames=end - start))
    return at_rate


def start_seconds(window: Window) -> float:
    """Where a window of a manifest begins, in seconds of the track."""
    return window.start_frame / WINDOW_RATE


def lasts(window: Window, seconds: float) -> bool:
    """Whether a window of a manifest is at least so many seconds long."""
    return window.frames >= seconds * WINDOW_RATE - 1e-6


def end_seconds(windows: Sequence[Window]) -> float:
    """Where the last window of a manifest ends, in seconds of the track."""
    return max(window.start_frame + window.frames for window in windows) / WINDOW_RATE


def searched_seconds(windows: Sequence[Window]) -> float:
    """Seconds of a track that lie in some window of a manifest.

    >>> searched_seconds([Window(start_frame=0, frames=100), Window(start_frame=50, frames=100)])
    3.0
    """
    units, end = 0, 0
    for window in sorted(windows, key=lambda window: window.start_frame):
        stop = window.start_frame + window.frames
        units += max(0, stop - max(end, window.start_frame))
        end = max(end, stop)
    return units / WINDOW_RATE


def fit_windows(windows: Sequence[Window], frames: int, rate: float) -> list[Window]:
    """Cut windows, in frames at ``rate``, to a recording of ``frames`` whole frames.

    Raises AudioError (``too_short``) if more than a second of them, or a whole one, is missing.
    """
    fitted = []
    for window in windows:
        present = min(window.frames, frames - window.start_frame)
        if present < 1 or window.frames - present > SLACK_SECONDS * rate:
            end = window.start_frame + window.frames
            raise AudioError(
                "the audio ends before the manifest's window does",
                reason="too_short",
                found=f"{frames / rate:.2f} s",
                expected=f"{end / rate:.2f} s",
                fix="check the duration in the track's metadata",
            )
        fitted.append(Window(start_frame=window.start_frame, frames=present))
    return fitted
