import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors import safe_open
from safetensors.numpy import load

from leitmotif.tensors import map_tensors, on_grid, serialise, with_digits, write_tensors

NAMES = st.text(min_size=1, max_size=20).filter(lambda name: name != "__metadata__")
ARRAYS = st.sampled_from([np.float16, np.float32, np.int64]).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(max_dims=3, max_side=5, min_side=0))
)


@given(
    tensors=st.dictionaries(NAMES, ARRAYS, min_size=1, max_size=4),
    metadata=st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=4),
)
def test_the_safetensors_package_reads_back_what_was_written(
    tensors: dict[str, np.ndarray], metadata: dict[str, str]
) -> None:
    file = serialise(tensors, metadata)
    content = b"".join(file.pieces)
    assert (file.bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    read = load(content)
    assert read.keys() == tensors.keys()
    for name, array in tensors.items():
        assert read[name].dtype == array.dtype
        assert read[name].tobytes() == array.tobytes()
        assert read[name].shape == array.shape


@given(tensors=st.dictionaries(NAMES, ARRAYS, min_size=1, max_size=4))
def test_mapped_arrays_are_those_that_were_written(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, np.ndarray]
) -> None:
    path = tmp_path_factory.mktemp("mapped") / "file"
    write_tensors(path, tensors, {"a": "b"})
    mapped = map_tensors(path)
    assert mapped.keys() == tensors.keys()
    for name, array in tensors.items():
        assert (mapped[name].dtype, mapped[name].shape) == (array.dtype, array.shape)
        assert mapped[name].tobytes() == array.tobytes()
        assert not mapped[name].flags.writeable


def test_a_file_on_disk_has_the_metadata_and_non_contiguous_arrays(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4).T[::2]
    write_tensors(tmp_path / "a.safetensors", {"x": array}, {"k": "v\n\u2028"})
    with safe_open(tmp_path / "a.safetensors", framework="np") as file:
        assert file.metadata() == {"k": "v\n\u2028"}
        np.testing.assert_array_equal(file.get_tensor("x"), array)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_other_types_are_refused() -> None:
    with pytest.raises(KeyError, match="complex64"):
        serialise({"x": np.zeros(2, np.complex64)}, {})


def test_every_process_writes_the_same_bytes() -> None:
    """The safetensors package's own writer fails this: it orders metadata by a seeded hash."""
    program = (
        "import numpy as np; from leitmotif.tensors import serialise;"
        "print(serialise({'b': np.ones(3, np.float16), 'a': np.ones(3, np.float32)},"
        "{k: k for k in 'model site dtype frames windows'.split()}).sha256)"
    )
    hashes = {
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout
        for _ in range(2)
    }
    assert len(hashes) == 1


VALUES = st.floats(-1e4, 1e4, allow_subnormal=False)


@given(VALUES)
def test_a_grid_moves_a_value_by_half_a_step_at_most(value: float) -> None:
    (rounded,) = on_grid(np.array([value]))
    assert abs(float(rounded) - value) <= 2**-17 + abs(value) * 2**-24
    assert on_grid(np.array([rounded]))[0] == rounded


@given(VALUES.filter(lambda value: abs(value) > 1e-30))
def test_digits_are_significant_ones(value: float) -> None:
    (rounded,) = with_digits(np.array([value]))
    assert abs(float(rounded) - value) <= abs(value) * 2**-16
    assert with_digits(np.array([rounded]))[0] == rounded
    assert (rounded > 0) == (value > 0)


@given(arrays.arrays(np.float64, 50, elements=VALUES), st.integers(0, 2**32 - 1))
def test_what_processors_differ_by_is_rounded_away(values: np.ndarray, seed: int) -> None:
    """Values that are no halves of a step, moved by some 1e-14 of their size."""
    step = 2.0**-16
    values = (np.floor(values / step) + 0.25) * step
    noise = 1 + 1e-14 * np.random.default_rng(seed).uniform(-1, 1, len(values))
    assert np.array_equal(on_grid(values), on_grid(values * noise))
    exact = np.where(values == 0, 1.0, values)
    mantissa, exponent = np.frexp(exact)
    exact = np.ldexp(np.floor(mantissa * 2**16) + 0.25, exponent - 16)
    assert np.array_equal(with_digits(exact), with_digits(exact * noise))
