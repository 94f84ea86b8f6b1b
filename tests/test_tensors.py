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

from leitmotif.tensors import serialise, write_tensors

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
