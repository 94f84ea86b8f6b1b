"""Clips that reach a judge are finite, mono, at its rate, and heard to their last sample."""

import numpy as np
import pytest
import soxr
import torch
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.audio.decode import Audio
from leitmotif.errors import LeitmotifError
from leitmotif.judge.models.clips import over_windows, prepare, windows

RATE = 32_000


def test_one_clip_many_clips_and_tensors_are_the_same_audio() -> None:
    clips = np.random.default_rng(0).standard_normal((2, RATE)).astype(np.float32)
    mixed = [torch.from_numpy(clips[0]), clips[1]]
    sounds = [Audio(clip, RATE, 44_100, 2) for clip in clips]
    whole = [np.int16(clips[0] * 0), clips[1]]
    for made, clip in zip(prepare(sounds, None, RATE), clips, strict=True):
        np.testing.assert_array_equal(made, clip)
    assert not prepare(whole, RATE, RATE)[0].any()
    for given_as in (clips[:, None], torch.from_numpy(clips)[:, None], list(clips), mixed):
        for made, clip in zip(prepare(given_as, RATE, RATE), clips, strict=True):
            np.testing.assert_array_equal(made, clip)
    (alone,) = prepare(clips[0].astype(np.float64), RATE, RATE)
    assert alone.dtype == np.float32
    np.testing.assert_array_equal(alone, clips[0])


def test_a_tone_keeps_its_pitch_at_the_judges_rate() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    (resampled,) = prepare(tone, RATE, 48_000)
    assert len(resampled) == 48_000
    expected = np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    np.testing.assert_allclose(resampled[2000:-2000], expected[2000:-2000], atol=1e-3)
    np.testing.assert_array_equal(resampled, soxr.resample(tone, RATE, 48_000, quality="HQ"))


@pytest.mark.parametrize(
    ("clips", "rate", "message"),
    [
        (np.zeros((1, 2, RATE), np.float32), RATE, "mono"),
        (np.zeros((2, RATE), np.float32), RATE, "mono"),
        (np.zeros(RATE, np.int64), RATE, "no audio"),
        (np.full(RATE, 1000.0), RATE, "not scaled"),
        ([np.zeros(RATE, np.float32), np.zeros(100, np.float32)], RATE, "clip 1 is too short"),
        (np.zeros((0, 1, RATE), np.float32), RATE, "no clips"),
        ([], RATE, "no clips"),
        (np.full(RATE, np.nan, np.float32), RATE, "32000 NaN or infinite"),
        (np.array([np.inf] * RATE, np.float32), RATE, "no numbers"),
        (np.zeros(RATE, np.float32), 32, "no sample rate"),
        (np.zeros(RATE, np.float32), True, "no sample rate"),
        (np.zeros(RATE, np.float32), None, "no sample rate"),
        (Audio(np.zeros(RATE, np.float32), RATE, RATE, 1), 16_000, "another sample rate"),
    ],
)
def test_what_cannot_be_judged_is_refused(clips, rate, message) -> None:
    with pytest.raises(LeitmotifError, match=message):
        prepare(clips, rate, 16_000)


@given(samples=st.integers(1, 500), length=st.integers(1, 120))
def test_windows_cover_every_sample_and_are_whole(samples: int, length: int) -> None:
    clip = np.arange(samples, dtype=np.float32)
    cut = list(windows(clip, length))
    assert set(np.concatenate(cut)) == set(clip)
    assert {len(window) for window in cut} == {min(samples, length)}
    assert len(cut) == max(1, -(-samples // length))
    starts = [window[0] for window in cut]
    assert starts == sorted(set(starts))


def test_a_long_clip_is_the_mean_of_its_windows_whatever_the_batch() -> None:
    clips = [np.arange(n, dtype=np.float32) for n in (5, 23, 10)]

    def judge(pieces: list[np.ndarray]) -> torch.Tensor:
        sizes.append(len(pieces))
        return torch.tensor([[piece.mean(), piece.max()] for piece in pieces])

    for batch in (1, 2, 16):
        sizes: list[int] = []
        judged = over_windows(clips, 10, judge, batch_size=batch)
        expected = [[2, 4], [(4.5 + 14.5 + 17.5) / 3, (9 + 19 + 22) / 3], [4.5, 9]]
        np.testing.assert_allclose(judged, expected, rtol=1e-6)
        assert sum(sizes) == 5
        assert max(sizes) <= batch
