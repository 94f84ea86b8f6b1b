"""Sparse features as columns: what a block holds equals the dense matrix."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.errors import ProbeError
from leitmotif.probe import encoded as module
from leitmotif.probe.blocks import raw_block
from leitmotif.probe.controls import ControlTable
from leitmotif.probe.encoded import dense, encoded_blocks, taken
from leitmotif.probe.rows import Context, Rows
from leitmotif.sae.encode import FeatureHeader, write_codes
from leitmotif.sae.model import Codes

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
def test_rows_and_columns_are_those_of_the_dense_matrix(
    rows: int, seed: int, data: st.DataObject
) -> None:
    x = matrix(rows, seed)
    chosen = data.draw(st.lists(st.integers(0, rows - 1), max_size=6))
    numbers = sorted(data.draw(st.sets(st.integers(0, FEATURES - 1), min_size=1)))
    part = taken(codes_of(x), np.array(chosen, dtype=np.int64))
    found = dense(part, np.array(numbers))
    np.testing.assert_array_equal(found, x[np.ix_(chosen, numbers)])


def written(folder: Path, track_id: str, x: np.ndarray) -> None:
    header = FeatureHeader(
        hook="one",
        site="layers.1.residual",
        track_id=track_id,
        frames=len(x),
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
    return Rows(contexts, groups, np.zeros((total, 1)), table)


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
    (block,) = encoded_blocks(rows, inside, tmp_path / "one", least_active=0.5)
    assert (block.site, block.hook, block.numbers.tolist()) == ("layers.1.residual", "one", [1, 3])
    expected = np.vstack([x[steps] for x in made])[:, [1, 3]]
    np.testing.assert_array_equal(block.values, expected)
    inside[0] = False  # the only row of the first track in which feature 1 is active
    (fewer,) = encoded_blocks(rows, inside, tmp_path / "one", least_active=0.5)
    assert fewer.numbers.tolist() == [3]
    assert len(fewer.values) == 12, "blocks hold all rows"
    monkeypatch.setattr(module, "BLOCK", 1)
    pair = [*encoded_blocks(rows, np.ones(12, dtype=bool), tmp_path / "one", least_active=0.5)]
    assert [one.numbers.tolist() for one in pair] == [[1], [3]]
    with pytest.raises(ProbeError, match="active in 0 of 4 tracks"):
        [*encoded_blocks(rows, np.zeros(12, dtype=bool), tmp_path / "one", least_active=0.5)]


def test_coordinates_that_never_change_are_left_out() -> None:
    values = np.column_stack([np.ones(6), np.arange(6.0)])
    block = raw_block("layers.0.residual", values)
    assert (block.hook, block.numbers.tolist()) == (None, [1])
    np.testing.assert_array_equal(block.values[:, 0], np.arange(6.0))
