"""A manifest's windows as frames of a model, and of a recording as long as it is."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.errors import AudioError, LeitmotifError
from leitmotif.files import read_table
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.timing.windows import (
    WINDOW_RATE,
    end_seconds,
    fit_windows,
    start_seconds,
    windows_at,
)
from tests.tables.made import manifest_track


def window(start: int, frames: int) -> Window:
    return Window(start_frame=start, frames=frames)


def test_at_the_manifests_rate_windows_stay_as_they_are() -> None:
    windows = [window(0, 1500), window(1500, 333)]
    assert windows_at(windows, 50.0) == windows
    assert start_seconds(windows[1]) == 30
    assert end_seconds(windows) == 1833 / 50


def test_only_whole_frames_within_a_window_are_read() -> None:
    assert windows_at([window(0, 1500), window(1500, 1500)], 25) == [
        window(0, 750),
        window(750, 750),
    ]
    assert windows_at([window(3, 10)], 25) == [window(2, 4)]  # 0.06 s to 0.26 s
    with pytest.raises(AudioError, match="shorter than a frame") as caught:
        windows_at([window(0, 3)], 12.5)
    assert caught.value.reason == "too_short"


@pytest.mark.fault(
    "manifest", "a window that begins or ends after centuries", outcome="refused by line and field"
)
@pytest.mark.parametrize("place", [(2**62, 1500), (2**41, 1500), (0, 2**62)])
def test_a_window_after_centuries_is_refused_as_it_is_read(
    place: tuple[int, int], tmp_path: Path
) -> None:
    row = manifest_track(track_id="a", seconds=30.0).model_dump()
    row["windows"] = [{"start_frame": place[0], "frames": place[1]}]
    (tmp_path / "manifest.jsonl").write_text(json.dumps(row))
    with pytest.raises(
        LeitmotifError, match=r"manifest\.jsonl:1 is not[\s\S]*windows\.0\.(start_)?f"
    ):
        read_table(tmp_path / "manifest.jsonl", ManifestTrack)


@given(
    start=st.integers(0, 2000),
    frames=st.integers(10, 2000),
    rate=st.sampled_from([12.5, 25.0, 75.0, 44_100 / 512]),
)
def test_a_window_lies_within_the_manifests(start: int, frames: int, rate: float) -> None:
    (at_rate,) = windows_at([window(start, frames)], rate)
    assert at_rate.start_frame / rate >= start / WINDOW_RATE - 1e-6
    end = (at_rate.start_frame + at_rate.frames) / rate
    assert (start + frames) / WINDOW_RATE - 1 / rate < end + 1e-6
    assert end <= (start + frames) / WINDOW_RATE + 1e-6


@given(start=st.integers(0, 500), frames=st.integers(1, 1500), available=st.integers(0, 2500))
def test_a_window_is_cut_by_a_second_at_most(start: int, frames: int, available: int) -> None:
    whole = window(start, frames)
    missing = start + frames - available
    if missing <= 0:
        assert fit_windows([whole], available, 50) == [whole]
    elif missing <= 50 and available > start:
        fitted = fit_windows([whole], available, 50)
        assert fitted == [window(start, available - start)]
    else:
        with pytest.raises(AudioError) as caught:
            fit_windows([whole], available, 50)
        assert caught.value.reason == "too_short"
