"""Which window of a recording is continued, and which motifs are in its beginning."""

import pytest

from leitmotif.causal.experiment.beginnings import beginning_of
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import Window
from leitmotif.tables.labels import Label
from tests.tables.made import label_row, manifest_track

RATE = 32_000
LONG = manifest_track(
    track_id="long",
    path="long.wav",
    sha256="0" * 64,
    seconds=70.0,
    windows=[
        Window(start_frame=0, frames=1500),
        Window(start_frame=1500, frames=1500),
        Window(start_frame=3000, frames=500),
    ],
)


def label(start: float, seconds: float = 3.0, track_id: str = "long") -> Label:
    motif = Span(start_sample=round(start * RATE), samples=round(seconds * RATE))
    return label_row(
        track_id=track_id,
        motif=motif,
        recurrence=Span(start_sample=69 * RATE, samples=motif.samples),
        source="decisions",
        reviewers=["ana"],
    )


@pytest.mark.parametrize(
    ("starts", "window", "motifs"),
    [
        ([2.0], 0, ((2.0, 3.0),)),
        ([32.5, 2.0], 0, ((2.0, 3.0),)),  # the first window that can be continued
        ([20.0, 32.5, 32.5, 31.0], 1, ((1.0, 3.0), (2.5, 3.0))),
        ([28.5, 61.0], 2, ((1.0, 3.0),)),  # one that lies across two windows begins neither
    ],
)
def test_the_first_window_that_begins_with_a_motif(
    starts: list[float], window: int, motifs: tuple[tuple[float, float], ...]
) -> None:
    labels = [label(start) for start in starts]
    beginning = beginning_of(LONG, labels, seconds=6.0, longest=5.5)
    assert beginning is not None
    assert beginning.window == LONG.windows[window]
    assert beginning.motifs == motifs


@pytest.mark.parametrize(
    ("row", "seconds"),
    [
        (label(20.0), 6.0),  # within none of the beginnings
        (label(1.0, seconds=5.6), 8.0),  # longer than what is heard
        (label(61.0), 12.0),  # the last window is shorter than the prefix
        (label(1.0, track_id="other"), 6.0),
    ],
)
def test_a_recording_that_cannot_be_continued(row: Label, seconds: float) -> None:
    assert beginning_of(LONG, [row], seconds=seconds, longest=5.5) is None
