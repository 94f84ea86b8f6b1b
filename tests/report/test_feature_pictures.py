"""What is drawn and cut for the feature pages."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from leitmotif.audio.features import HOP, SAMPLE_RATE
from leitmotif.report.features import heard
from leitmotif.report.features.charts import around_chart, histogram, trace
from leitmotif.report.features.density import Densities
from leitmotif.report.features.listening import tracks_of
from leitmotif.report.features.measurement import measure
from leitmotif.report.features.moments import Moment
from leitmotif.report.features.places import RasterLine
from leitmotif.report.features.raster import raster_png
from leitmotif.report.features.views import raster
from leitmotif.report.folder import Folder, Shell
from leitmotif.tables.corpus import Window
from tests.report.made_features import TIMING, coverage, label, track, write_activity, write_track
from tests.report.test_feature_measures import HORIZON


def lines(*values: list[float], onsets: tuple[float, ...] = ()) -> list[RasterLine]:
    lines = []
    for number, row in enumerate(values):
        listened = track(number, onsets)
        lines.append(RasterLine(listened, listened.contexts[0], np.array(row)))
    return lines


def test_the_raster_is_as_opaque_as_the_feature_is_active() -> None:
    url = raster_png(lines([0, 2, 4], [4, 0]), 4.0)
    image = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))
    opacity = np.asarray(image.convert("RGBA"))[:, :, 3]
    assert opacity.shape == (2, 3)
    assert opacity[0, 0] == opacity[1, 1] == opacity[1, 2] == 0  # the second ends early
    assert opacity[0, 2] == opacity[1, 0] == 255
    assert 0 < opacity[0, 1] < 255
    assert raster_png(lines([0, 0]), 0.0)  # never active


def test_tracks_of_the_same_recurrences_are_named_together() -> None:
    both = [*lines([1.0] * 400, [1.0] * 400), *lines([1.0] * 400, onsets=(2.0, 6.0))]
    drawn = raster(both, 1.0, rows_a_column=1)
    assert [tick.label for tick in drawn.groups] == ["none (2)", "2.0 6.0 (1)"]
    assert drawn.borders == [66.67]
    assert drawn.onsets == "M25.00 66.67V100.00M75.00 66.67V100.00"


def test_a_trace_stands_on_the_ground_and_reaches_the_top_at_the_largest() -> None:
    path = trace(np.array([0.0, 5.0, 5.0, 10.0]), 10.0)
    assert path == "M0 100H0V100H25V50H75V0H100V100Z"


def test_charts_of_a_feature_that_is_never_active_are_empty_and_finite(tmp_path: Path) -> None:
    row = write_track(tmp_path, 0, np.zeros(HOP * 400))
    write_activity(tmp_path / "sae", "track_0", np.zeros((400, 4)))
    tracks = tracks_of(
        [row], tmp_path / "features", [], [coverage("track_0")], timing=TIMING, exploratory=False
    )
    places = {"encoded": tmp_path / "sae", "features": tmp_path / "features"}
    measured = measure([1], tracks, horizon=HORIZON, ahead_seconds=5.0, seed=0, **places)[1]
    assert measured.moments == []
    assert measured.clock == 0
    for chart in (around_chart(measured.around), histogram(measured.density)):
        assert not re.search("nan|inf", repr(chart))


def test_a_histogram_reaches_from_the_least_to_the_largest() -> None:
    counted = Densities(1)
    counted.add(np.array([[0.0], [1.0], [1.1], [8.0]]))
    chart = histogram(counted.result()[0])
    assert chart.x[0].label == "1"
    assert chart.x[-1].label == "8"


def test_a_clip_of_a_later_window_is_of_that_window(tmp_path: Path) -> None:
    frames = np.repeat(np.arange(400), HOP) / 1000  # each frame's samples say its number
    row = write_track(tmp_path, 0, frames)
    windows = [Window(start_frame=0, frames=150), Window(start_frame=150, frames=250)]
    (track,) = tracks_of(
        [row.model_copy(update={"windows": windows})],
        tmp_path / "features",
        [label("track_0", 5.0)],
        [coverage("track_0")],
        timing=TIMING,
        exploratory=False,
    )
    second = track.contexts[1]
    assert (second.first_row, second.onsets.tolist()) == (150, [2.0])
    moment = Moment(1.0, track=0, context=1, step=100)
    excerpt = heard.around(moment, second)
    assert (excerpt.first, excerpt.end) == (0, 150)  # nothing from before the window
    root = tmp_path / "report"
    root.mkdir()
    folder = Folder(root, Shell("made", "tiny", [], []))
    clip = heard.write_clips(folder, tmp_path / "corpus", [track], [excerpt])[excerpt]
    samples, rate = soundfile.read(root / "clips" / f"{clip.id}.flac")
    assert rate == SAMPLE_RATE
    heard_frames = np.round(samples.reshape(-1, HOP).mean(axis=1) * 1000).astype(int)
    assert heard_frames.tolist() == list(range(150, 300))
