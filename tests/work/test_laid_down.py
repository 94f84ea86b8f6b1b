"""What several processes read from one file."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from leitmotif.work.laid_down import lay_down, make_folder, take_up


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "function"


@given(
    st.lists(
        arrays.arrays(
            st.sampled_from([np.float64, np.float32, np.int64, np.bool_, np.uint8]),
            arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
        ),
        max_size=5,
    )
)
def test_arrays_arrive_as_they_were(given_arrays: list[np.ndarray]) -> None:
    folder = make_folder()
    try:
        lay_down(given_arrays, folder / "arrays")
        taken = take_up(folder / "arrays")
    finally:
        take_up.cache_clear()
        (folder / "arrays").unlink()
        folder.rmdir()
    assert len(taken) == len(given_arrays)
    for array, again in zip(given_arrays, taken, strict=True):
        assert array.dtype == again.dtype
        np.testing.assert_array_equal(array, again)


def test_an_array_in_the_file_cannot_be_written(path: Path) -> None:
    lay_down({"a": np.arange(1000.0), "b": np.asfortranarray(np.eye(3))}, path)
    taken = take_up(path)
    with pytest.raises(ValueError, match="read-only"):
        taken["a"][0] = 1.0
    assert taken["a"].ctypes.data % 64 == 0
    assert taken["b"].flags.f_contiguous


def test_the_file_may_go_while_its_arrays_are_used(path: Path) -> None:
    lay_down(np.arange(100_000.0), path)
    taken = take_up(path)
    path.unlink()
    assert taken.sum() == np.arange(100_000.0).sum()


def test_data_frames_and_functions_of_a_script_travel(path: Path) -> None:
    frame = pd.DataFrame({"n": [1, 2], "text": ["a", "é"]})
    factor = 3

    def local(frame: pd.DataFrame, n: int) -> int:
        return int(frame["n"].sum()) * n * factor

    lay_down(partial(local, frame), path)
    assert take_up(path)(2) == 18
    assert take_up(path) is take_up(path)


def test_nothing_is_written_over(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        lay_down(1, path)
    assert path.read_text() == "mine"


def test_a_folder_is_made_where_shared_memory_may_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert make_folder().parent == tmp_path
