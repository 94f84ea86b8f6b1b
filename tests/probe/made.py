"""Data of which the truth is known: tracks of autocorrelated noise, and targets like events."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter


@dataclass(frozen=True)
class Made:
    """Rows of several tracks of equal length."""

    X: np.ndarray
    y: np.ndarray
    Z: np.ndarray
    groups: np.ndarray


def noise(random, tracks: int, length: int, columns: int, memory: float = 0.95) -> np.ndarray:
    """Stationary autoregressive noise of unit variance: [tracks, length, columns]."""
    white = random.normal(size=(tracks, length, columns)) * np.sqrt(1 - memory**2)
    white[:, 0] /= np.sqrt(1 - memory**2)
    return lfilter([1], [1, -memory], white, axis=1)


def made(
    seed: int,
    *,
    tracks: int = 20,
    length: int = 30,
    d: int = 4,
    p: int = 2,
    planted: float = 0.0,
    memory: float = 0.95,
) -> Made:
    """Controls that drive features and target alike, and, if planted, a link beside them.

    Features follow the controls and a trend over the track; the target is an event that begins and
    ends, likelier where the controls are high. Feature 0 shares the target's own noise.
    """
    random = np.random.default_rng(seed)
    Z = noise(random, tracks, length, p, memory)
    own = noise(random, tracks, length, 1, memory)
    trend = np.linspace(-1, 1, length)[:, None]
    X = Z @ random.normal(size=(p, d)) + 2 * trend + noise(random, tracks, length, d, memory)
    X[..., :1] += planted * own
    y = (Z.sum(-1) + trend[:, 0] + own[..., 0] > 0.8).astype(float)
    flat = tracks * length
    return Made(
        X.reshape(flat, d),
        y.reshape(flat),
        Z.reshape(flat, p),
        np.repeat(np.arange(tracks), length),
    )
