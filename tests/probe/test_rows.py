"""Which steps become rows, and that their targets, controls and features belong together."""

from pathlib import Path

import numpy as np
import pytest

from leitmotif.audio.artifacts import SourceArtifacts
from leitmotif.audio.features import Features
from leitmotif.claims import Horizon
from leitmotif.errors import ProbeError
from leitmotif.probe.inputs.controls import LocalEnergy, Position, TrackSound
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.inputs.rows import Rows, gather, read_sounds
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.tables.labels import Coverage, Label
from leitmotif.timing.frames import Timing
from tests.tables.made import label_row, manifest_track

TIMING = Timing(frame_rate=50, hearing_seconds=0.074)
HORIZONS = [Horizon("1-2s", 1, 2), Horizon("5-7s", 5, 7)]
SETTINGS = ControlSettings([Position(), LocalEnergy()], knots=2, interactions=4)


class Store:
    """Holds row number and track as features."""

    def __init__(self, timing: Timing = TIMING) -> None:
        self.timing = timing

    def header(self, site: str, track_id: str) -> "Store":
        return self

    def load(self, site: str, track_id: str) -> np.ndarray:
        assert site == "layers.0.residual"
        rows = np.arange(2000)
        return np.column_stack([rows, np.full(2000, int(track_id))]).astype(np.float16)


def track(name: str, *windows: tuple[int, int]) -> ManifestTrack:
    return manifest_track(
        track_id=name,
        path=f"{name}.mp3",
        seconds=20.0,
        windows=[Window(start_frame=start, frames=frames) for start, frames in windows],
    )


def sound(name: str, frames: int = 1000) -> TrackSound:
    random = np.random.default_rng(int(name))
    energy = random.normal(-20, 5, frames).astype(np.float32)
    features = Features(
        random.random((12, frames)).astype(np.float32), energy, np.abs(energy), tuning_cents=0.0
    )
    artifacts = SourceArtifacts(
        track_id=name,
        sample_rate=32_000,
        channels=1,
        bit_rate=256.0,
        cutoff_hz=16_000.0,
        peak=0.5,
        loudness=-20.0,
        clipped=0.0,
        silence=0.0,
        dc_offset=0.0,
    )
    return TrackSound(features, artifacts, frame_rate=50)


def label(name: str, onset: float) -> Label:
    return label_row(
        track_id=name,
        motif=Span(start_sample=0, samples=32_000),
        recurrence=Span(start_sample=round(onset * 32_000), samples=32_000),
    )


def coverage(name: str, source: str = "score", *known: tuple[float, float]) -> Coverage:
    spans = [
        Span(start_sample=round(a * 32_000), samples=round((b - a) * 32_000)) for a, b in known
    ]
    return Coverage(
        track_id=name,
        source=source,
        labels=1,
        proposals=1,
        pending=0,
        known=spans or [Span(start_sample=0, samples=20 * 32_000)],
        sample_rate=32_000,
        complete=not spans,
    )


def unheard(name: str) -> Coverage:
    rest = {"known": [], "complete": False, "pending": 1}
    return coverage(name, "decisions").model_copy(update=rest)


def gathered(
    tracks: list[ManifestTrack], labels: list[Label], rows: list[Coverage], **changes: object
) -> Rows:
    settings = {"start_seconds": 2.0, "stride": 10, "exploratory": False} | changes
    sounds = {track.track_id: sound(track.track_id) for track in tracks}
    settings = {"timing": TIMING, "horizons": HORIZONS, "settings": SETTINGS} | settings
    return gather(tracks, sounds, labels, rows, **settings)


def test_a_row_is_a_step_with_its_own_features_controls_and_target() -> None:
    tracks = [track("1", (0, 1000)), track("2", (0, 1000))]
    rows = gathered(tracks, [label("1", 10.0)], [coverage("1"), coverage("2")])
    X = rows.features(Store(), "layers.0.residual")
    assert X[:, 1].tolist() == [1.0] * 90 + [2.0] * 90
    assert X[:90, 0].tolist() == list(range(100, 1000, 10))
    seconds = rows.controls.values[:, rows.controls.names.index("position.seconds")]
    np.testing.assert_allclose(seconds, X[:, 0] / 50)
    ahead = 10.0 - (X[:, 0] / 50 + TIMING.hearing_seconds)
    wanted = (ahead > 5) & (ahead <= 7) & (X[:, 1] == 1)
    assert np.array_equal(rows.targets[:, 1] > 0, wanted)
    last = rows.controls.values[:, rows.controls.names.index("local_energy.last")]
    assert last[0] == sound("1").features.energy[99]


def test_every_window_is_a_context_of_its_own() -> None:
    rows = gathered([track("1", (0, 400), (400, 500))], [label("1", 16.0)], [coverage("1")])
    X = rows.features(Store(), "layers.0.residual")[:, 0]
    first, second = rows.contexts
    assert X.tolist() == [*range(100, 400, 10), *range(500, 900, 10)]
    assert first.steps[0] == second.steps[0] == 100
    # Onset at 16 s of the track is 8 s into the second context, whose row 100 knows 2.074 s.
    assert rows.targets[len(first.steps), 1] == 1
    last = rows.controls.names.index("local_energy.last")
    assert rows.controls.values[len(first.steps), last] == sound("1").features.energy[499]


def test_by_decisions_nothing_is_known_past_what_was_listened_to() -> None:
    tracks = [track("1", (0, 800))]
    scored = gathered(tracks, [label("1", 10.0)], [coverage("1")])
    heard = [coverage("1", "decisions", (0.0, 16.0))]
    decided = gathered(tracks, [label("1", 10.0)], heard)
    assert scored.contexts[0].steps.max() == 790
    assert decided.contexts[0].steps.max() / 50 + TIMING.hearing_seconds + 7 <= 16
    with pytest.raises(ProbeError, match="no row's horizons are all known"):
        gathered(tracks, [], heard, start_seconds=12.0)


def test_rows_look_only_at_what_was_listened_to() -> None:
    """In the track's own time, whichever window the row is in, and over the edge of windows."""
    tracks = [track("1", (0, 400), (400, 500))]
    rows = gathered(tracks, [label("1", 16.0)], [coverage("1", "decisions", (3.0, 14.0))])
    nows = [context.start_frame / 50 + TIMING.now(context.steps).max() for context in rows.contexts]
    firsts = [
        context.start_frame / 50 + TIMING.now(context.steps).min() for context in rows.contexts
    ]
    assert len(nows) == 1  # of the second window 7 s ahead are nowhere known
    assert firsts[0] + 1 >= 3.0
    assert 14.0 - 0.2 < nows[0] + 7 <= 14.0
    # The return at 16 s is known, and no row that could see it is used all the same.
    assert not rows.targets.any()


@pytest.mark.parametrize(
    "known",
    [
        [(4.0, 18.0)],  # not at the first row
        [(0.0, 10.0), (10.5, 18.0)],
        [(0.0, 12.0)],  # not in the second window
        [(0.0, 7.0), (8.0, 18.0)],  # and then no row of the first window
    ],
)
def test_row_n_of_every_track_stands_at_the_same_place(known: list[tuple[float, float]]) -> None:
    """Means by place and exchanges between tracks take rows by their number in the track."""
    tracks = [track(name, (0, 400), (400, 500)) for name in "12"]
    covered = [coverage("1", "decisions", (0.0, 18.0)), coverage("2", "decisions", *known)]
    rows = gathered(tracks, [], covered)
    whole, part = (
        [
            (row.start_frame, step)
            for row in rows.contexts
            if row.track_id == name
            for step in row.steps
        ]
        for name in "12"
    )
    assert whole[: len(part)] == part
    assert len(part) < len(whole)


def test_a_track_that_nobody_listened_to_is_left_out_unless_the_run_is_exploratory() -> None:
    tracks = [track("1", (0, 1000)), track("2", (0, 1000))]
    known = [coverage("1"), unheard("2")]
    assert set(gathered(tracks, [], known).groups) == {"1"}
    assert set(gathered(tracks, [], known, exploratory=True).groups) == {"1", "2"}


def test_places_at_which_all_tracks_agree_are_left_out_of_a_sample() -> None:
    tracks = [track(name, (0, 1000)) for name in "123"]
    labels = [label("1", 10.0), label("2", 10.0)]
    rows = gathered(tracks, labels, [coverage(name) for name in "123"])
    sample = rows.sample(HORIZONS, 1)
    X = rows.features(Store(), "layers.0.residual")[sample.inside]
    ahead = 10.0 - (X[:, 0] / 50 + TIMING.hearing_seconds)
    assert ((ahead > 5) & (ahead <= 7)).all()
    assert len(sample.tracks) == 3
    assert [set(sample.y[track].tolist()) for track in sample.tracks] == [{1.0}, {1.0}, {0.0}]
    everywhere = gathered(tracks, [label(n, 10.0) for n in "123"], [coverage(n) for n in "123"])
    with pytest.raises(ProbeError, match="5-7s has the same target in all tracks"):
        everywhere.sample(HORIZONS, 1)


def test_a_track_without_features_is_named(tmp_path: Path) -> None:
    (tmp_path / "artifacts.jsonl").write_text("")
    with pytest.raises(ProbeError, match="track 1 has no features"):
        read_sounds(tmp_path, [track("1", (0, 100))])
