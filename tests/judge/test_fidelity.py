"""Fidelity is perfect for the same clip and falls where, and only where, a clip was changed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from leitmotif.errors import ModelError
from leitmotif.judge.models import Clap
from leitmotif.judge.models.fidelity import Fidelity, fidelities

RATE = 32_000


def fidelity(
    clap: Clap,
    treated: NDArray[np.float32],
    baseline: NDArray[np.float32],
    rate: int,
    *,
    window_seconds: float = 2.0,
) -> Fidelity:
    """That of one clip."""
    return fidelities(clap, [treated], baseline, rate, window_seconds=window_seconds)[0]


def test_the_same_clip_is_unchanged(clap: Clap, noise: NDArray[np.float32]) -> None:
    measured = fidelity(clap, noise[0], noise[0], RATE, window_seconds=0.5)
    np.testing.assert_allclose(measured.similarity, np.ones(4), atol=1e-6)
    assert measured.loudness_db == 0
    assert measured.spectral_db == 0


def test_a_change_shows_in_its_own_window(clap: Clap, noise: NDArray[np.float32]) -> None:
    changed = noise[0].copy()
    changed[RATE : RATE + RATE // 2] = noise[1, : RATE // 2]
    measured = fidelity(clap, changed, noise[0], RATE, window_seconds=0.5)
    assert measured.similarity[2] < 0.999
    np.testing.assert_allclose(measured.similarity[[0, 1, 3]], 1, atol=1e-6)
    assert measured.spectral_db > 1


def test_loudness_and_spectrum_follow_the_gain(clap: Clap, noise: NDArray[np.float32]) -> None:
    measured = fidelity(clap, noise[2] / 2, noise[2], RATE)
    assert measured.loudness_db == pytest.approx(-6.02, abs=0.01)
    assert measured.spectral_db == pytest.approx(6.02, abs=0.01)
    silence = np.zeros_like(noise[0])
    assert fidelity(clap, silence, silence, RATE).spectral_db == 0


@pytest.mark.parametrize("samples", [RATE, 2 * RATE - 1])
def test_clips_of_unequal_length_are_refused(
    clap: Clap, noise: NDArray[np.float32], samples: int
) -> None:
    with pytest.raises(ModelError, match="cannot be compared"):
        fidelity(clap, noise[0, :samples], noise[0], RATE)
