import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.claims import Horizon
from leitmotif.errors import ProbeError
from leitmotif.probe.inputs.targets import Events, events_of, known_tracks, target
from leitmotif.tables.base import Span
from leitmotif.tables.labels import Coverage, Label
from leitmotif.timing.frames import Timing
from tests.tables.made import label_row

TIMING = Timing(frame_rate=50, hearing_seconds=0.074)
MEDIUM = Horizon("medium", 5.0, 10.0)
NOTHING = Events(np.array([]), np.array([]))


def label(track: str, onset: int, strength: float = 1.0) -> Label:
    return label_row(
        track_id=track,
        motif=Span(start_sample=0, samples=32_000),
        recurrence=Span(start_sample=onset, samples=32_000),
        strength=strength,
    )


def covered(track: str, *, complete: bool) -> Coverage:
    return Coverage(
        track_id=track,
        source="decisions",
        labels=0,
        proposals=0,
        pending=0,
        known=[Span(start_sample=0, samples=10 * 32_000)] if complete else [],
        sample_rate=32_000,
        complete=complete,
    )


def test_the_window_is_open_at_its_near_end_and_closed_at_its_far_end() -> None:
    event = Events(np.array([10.0]), np.array([0.7]))
    instants = np.array([-0.1, 0.0, 4.9, 5.0, 10.0])
    y, known = target(instants, event, MEDIUM, known=None)
    assert y.tolist() == [0, 0.7, 0.7, 0, 0]
    assert known.all()


def test_the_strongest_recurrence_counts() -> None:
    events = Events(np.array([6.0, 7.0, 20.0]), np.array([0.2, 0.9, 3.0]))
    assert target(np.array([0.0]), events, MEDIUM, known=None)[0].tolist() == [0.9]


def test_a_row_knows_the_frames_it_has_read_and_what_the_codec_heard_beyond_them() -> None:
    assert TIMING.now([0, 50]) == pytest.approx([0.074, 1.074])
    event = Events(np.array([6.05]), np.array([1.0]))
    y, _ = target(TIMING.now(np.arange(60)), event, MEDIUM, known=None)
    # 6.05 s lies more than 5 s past now as long as t / 50 + 0.074 < 1.05.
    assert np.flatnonzero(y).tolist() == list(range(49))


def test_what_nobody_listened_to_is_not_known() -> None:
    instants = np.array([0.0, 1.9, 2.0, 4.9, 5.0, 9.9, 10.0, 10.1])
    known = [(0.0, 10.0), (12.0, 20.0)]
    assert target(instants, NOTHING, MEDIUM, known=known)[1].tolist() == [
        *[True, False, False, False, False],  # up to 10 s, then the gap begins in the horizon
        *[True, True, False],
    ]
    assert not target(instants, NOTHING, MEDIUM, known=[])[1].any()


@given(
    spans=st.lists(st.tuples(st.floats(0, 30), st.floats(0, 30)), max_size=3),
    events=st.lists(st.floats(0, 60), max_size=6),
    others=st.lists(st.floats(0, 60), max_size=6),
)
def test_whether_a_row_is_known_never_depends_on_what_returns(spans, events, others) -> None:
    """A known recurrence beside an unknown rest would else choose rows by their outcome."""
    instants = np.arange(0.0, 30.0, 0.5)
    masks = [
        target(instants, Events(np.array(on), np.ones(len(on))), MEDIUM, known=spans)[1].tolist()
        for on in (events, others)
    ]
    assert masks[0] == masks[1]
    inside = [any(a <= instant + 5 and instant + 10 <= b for a, b in spans) for instant in instants]
    assert masks[0] == inside


@given(
    onsets=st.lists(st.floats(0, 60), max_size=6),
    instant=st.floats(0, 30),
    after=st.floats(0, 20),
    width=st.floats(0.1, 20),
)
def test_presence_is_that_an_onset_lies_in_the_horizon(onsets, instant, after, width) -> None:
    horizon = Horizon("any", after, after + width)
    events = Events(np.array(onsets), np.ones(len(onsets)))
    y, _ = target(np.array([instant]), events, horizon, known=None)
    ahead = np.array(onsets) - instant
    assert bool(y[0]) == any((ahead > horizon.after) & (ahead <= horizon.until))


def test_events_are_those_of_the_track_from_the_start_of_its_context() -> None:
    labels = [label("a", 320_000, 0.5), label("b", 64_000), label("a", 640_000)]
    events = events_of(labels, "a", start_seconds=4.0)
    assert events.onsets.tolist() == [6.0, 16.0]
    assert events.strengths.tolist() == [0.5, 1.0]


def test_a_recurrence_without_strength_is_refused() -> None:
    with pytest.raises(ProbeError, match="without strength"):
        target(np.array([0.0]), Events(np.array([6.0]), np.array([0.0])), MEDIUM, known=None)


def test_tracks_that_nobody_listened_to_are_left_out_unless_exploring() -> None:
    rows = [covered("a", complete=True), covered("b", complete=False)]
    assert known_tracks(["a", "b"], rows, exploratory=False) == ["a"]
    assert known_tracks(["a", "b"], rows, exploratory=True) == ["a", "b"]
    with pytest.raises(ProbeError, match="of no track it is known where nothing returns"):
        known_tracks(["b"], rows, exploratory=False)
    with pytest.raises(ProbeError, match="c among them"):
        known_tracks(["a", "c"], rows, exploratory=True)
