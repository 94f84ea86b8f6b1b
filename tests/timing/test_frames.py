"""Frames, steps and seconds at any rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.timing.frames import Timing, first_frame_from, frames_ended, whole_frames

RATES = st.sampled_from([12.5, 25.0, 50.0, 75.0, 44_100 / 512])


@given(frames=st.integers(0, 10**6), rate=RATES)
def test_whole_frames_survive_the_way_to_seconds_and_back(frames: int, rate: float) -> None:
    assert whole_frames(frames / rate, rate) == frames


@given(frames=st.integers(0, 10**6), rate=RATES)
def test_at_one_rate_frames_are_themselves(frames: int, rate: float) -> None:
    assert int(frames_ended(frames, rate, rate)) == first_frame_from(frames, rate, rate) == frames


@given(frames=st.integers(0, 10**5), rate=RATES, other=RATES)
def test_frames_that_have_ended_are_past_and_the_next_is_not(
    frames: int, rate: float, other: float
) -> None:
    seconds, ended = frames / rate, int(frames_ended(frames, rate, other))
    assert ended / other <= seconds + 1e-6
    assert (ended + 1) / other > seconds
    first = first_frame_from(frames, rate, other)
    assert first / other >= seconds - 1e-6
    assert (first - 1) / other < seconds


def test_steps_know_the_frames_before_them_and_what_the_codec_heard() -> None:
    timing = Timing(frame_rate=12.5, hearing_seconds=0.2)
    assert timing.now([0, 25]) == pytest.approx([0.2, 2.2])
    assert np.array_equal(frames_ended([0, 1, 2, 3], 50, 25), [0, 0, 1, 1])
