"""Sparse features as columns: what a block holds equals the dense matrix."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.errors import ProbeError
from leitmotif.probe.features import encoded as module
from leitmotif.probe.features.blocks import raw_block
from leitmotif.probe.features.encoded import dense, read_encoded
from leitmotif.probe.inputs.controls import ControlTable
from leitmotif.probe.inputs.rows import Context, Rows
from leitmotif.sae.autoencoder.codes import Codes
from leitmotif.sae.autoencoder.encode import FeatureHeader, write_codes
from leitmotif.timing.frames import Timing

FEATURES = 7


def codes_of(matrix: np.ndarray) -> Codes:
    x = torch.from_numpy(matrix)
    rows, columns = x.nonzero(as_tuple=True)
    offsets = torch.nn.functional.pad((x != 0).sum(1).cumsum(0), (1, 0))
    return Codes(columns, x[rows, columns], offsets)


def matrix(rows: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    active = random.random((rows, FEATURES)) < 0.3
    return (active * random.random((rows, FEATURES))).astype(np.float32)


@given(st.integers(1, 9), st.integers(0, 99), st.data())
def test_columns_are_those_of_the_dense_matrix(rows: int, seed: int, data: st.DataObject) -> None:
    x = matrix(rows, seed)
    numbers = sorted(data.draw(st.sets(st.integers(0, FEATURES - 1), min_size=1)))
    densely = dense(codes_of(x), np.array(numbers))
    np.testing.assert_array_equal(densely, x[:, numbers])


def written(folder: Path, track_id: str, x: np.ndarray) -> None:
    header = FeatureHeader(
        hook="one",
        site="layers.1.residual",
        track_id=track_id,
        frames=len(x),
        frame_rate=50,
        hearing_seconds=0.074,
        d_sae=FEATURES,
        weights_sha256="a" * 64,
        activations_address="b" * 64,
        misaligned="",
    )
    write_codes(folder / f"{track_id}.safetensors", codes_of(x), header)


def rows_of(tracks: int, steps: np.ndarray) -> Rows:
    contexts = [Context(f"t{i}", 0, 20, 0, steps) for i in range(tracks)]
    groups = np.repeat([f"t{i}" for i in range(tracks)], len(steps))
    total = tracks * len(steps)
    table = ControlTable(np.zeros((total, 1)), ["position.seconds"], [])
    return Rows(contexts, groups, np.zeros((total, 1)), table, Timing(50, 0.074))


def test_features_that_fire_in_few_tracks_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = np.array([2, 5, 9])
    made = [np.zeros((20, FEATURES), np.float32) for _ in range(4)]
    for track in range(4):
        made[track][5, 3] = 1 + track  # in all tracks
        made[track][4, 6] = 1  # in all tracks, but on no row of the experiment
    made[0][2, 1] = made[1][9, 1] = 1  # in half of them
    made[2][9, 0] = 1  # in one
    for track, x in enumerate(made):
        written(tmp_path / "one", f"t{track}", x)
    rows = rows_of(4, steps)
    inside = np.ones(12, dtype=bool)
    encoded = read_encoded(rows, tmp_path / "one")
    (block,) = encoded.blocks(inside, least_active=0.5)
    assert (block.site, block.hook, block.numbers.tolist()) == ("layers.1.residual", "one", [1, 3])
    assert block.active is not None
    assert block.active.tolist() == [2, 4]
    expected = np.vstack([x[steps] for x in made])[:, [1, 3]]
    np.testing.assert_array_equal(block.values, expected)
    inside[0] = False  # the only row of the first track in which feature 1 is active
    assert encoded.activity(inside).tolist() == [1, 1, 0, 4, 0, 0, 0]
    (fewer,) = encoded.blocks(inside, least_active=0.5)
    assert fewer.numbers.tolist() == [3]
    assert len(fewer.values) == 12, "blocks hold all rows"
    monkeypatch.setattr(module, "BLOCK", 1)
    pair = [*encoded.blocks(np.ones(12, dtype=bool), least_active=0.5)]
    assert [block.numbers.tolist() for block in pair] == [[1], [3]]
    with pytest.raises(ProbeError, match="active in 0 of 4 tracks"):
        [*encoded.blocks(np.zeros(12, dtype=bool), least_active=0.5)]


def test_a_share_of_the_tracks_is_not_missed_by_rounding(tmp_path: Path) -> None:
    for track in range(100):
        x = np.zeros((20, FEATURES), np.float32)
        x[5, 0] = 1
        x[5, 2] = track < 7
        x[5, 4] = track < 6
        written(tmp_path / "one", f"t{track}", x)
    encoded = read_encoded(rows_of(100, np.array([5])), tmp_path / "one")
    assert 0.07 * 100 > 7
    (block,) = encoded.blocks(np.ones(100, dtype=bool), least_active=0.07)
    assert block.numbers.tolist() == [0, 2]
    assert block.active is not None
    assert block.active.tolist() == [100, 7]


def test_coordinates_that_never_change_are_left_out() -> None:
    values = np.column_stack([np.ones(6), np.arange(6.0)])
    block = raw_block("layers.0.residual", values)
    assert (block.hook, block.numbers.tolist()) == (None, [1])
    np.testing.assert_array_equal(block.values[:, 0], np.arange(6.0))
