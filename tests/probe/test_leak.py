import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from leitmotif.errors import ProbeError
from leitmotif.probe.study.leak import look_ahead, refuse_leak

RATE, HOP = 8_000, 160
SECONDS = 4
AUDIO = np.random.default_rng(0).normal(size=RATE * SECONDS).astype(np.float32) * 0.1
INSTANTS = np.arange(1, SECONDS * 50 + 1) / 50  # row r may hear its own frame, r / 50 s and on


def level(audio, ahead: int):
    """Loudness of each frame, ``ahead`` frames early."""
    power = (audio.reshape(-1, HOP) ** 2).mean(1)
    return np.r_[power[ahead:], np.full(ahead, power[-1])] if ahead else power


def heard(*ahead: int):
    return look_ahead(
        lambda audio: np.column_stack([level(audio, frames) for frames in ahead]),
        AUDIO,
        sample_rate=RATE,
        instants=INSTANTS,
        cuts=[1.0, 2.5],
    )


def test_half_a_second_of_future_is_seen_and_fails_the_run() -> None:
    ahead = heard(0, 25, 4)
    # The row 25 frames early is the first that changes; its instant lies 24 frames before the cut.
    assert ahead == pytest.approx([0, 0.48, 0.06], abs=1e-9)
    with pytest.raises(ProbeError, match=r"1 of 3; early hears 0.48 s ahead"):
        refuse_leak(ahead, allowed=0.08, names=["now", "early", "codec"])
    refuse_leak(ahead[[0, 2]], allowed=0.08)


def test_sparse_features_are_never_made_dense() -> None:
    """One dense copy of these would take 160 MB."""
    features = 100_000

    def wide(audio):
        columns = [level(audio, 0), level(audio, 25)]
        rows = np.tile(np.arange(len(columns[0])), 2)
        at = np.repeat([7, features - 1], len(columns[0]))
        shape = (len(columns[0]), features)
        return sparse.csr_array(sparse.coo_array((np.concatenate(columns), (rows, at)), shape))

    tracemalloc.start()
    ahead = look_ahead(wide, AUDIO, sample_rate=RATE, instants=INSTANTS, cuts=[1.0, 2.5])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6
    assert np.flatnonzero(ahead).tolist() == [features - 1]
    assert ahead[-1] == pytest.approx(0.48)


def test_a_feature_that_only_foretells_passes() -> None:
    # The second half repeats the first, so the past tells the future exactly.
    twice = np.tile(AUDIO[: len(AUDIO) // 2], 2)

    def memory(audio):
        power = level(audio, 0)
        half = len(power) // 2
        return np.r_[np.zeros(half - 25), power[: half + 25]][:, None]

    remembered = memory(twice)[100:175, 0]
    assert remembered == pytest.approx(level(twice, 0)[125:200]), (
        "it says what sounds 25 frames later"
    )
    ahead = look_ahead(memory, twice, sample_rate=RATE, instants=INSTANTS, cuts=[2.5])
    assert ahead.tolist() == [0]


def test_a_check_without_past_or_future_is_refused() -> None:
    for cuts in ([], [0.0], [4.0]):
        with pytest.raises(ProbeError, match="needs a past and a future"):
            look_ahead(
                lambda audio: level(audio, 0)[:, None],
                AUDIO,
                sample_rate=RATE,
                instants=INSTANTS,
                cuts=cuts,
            )
