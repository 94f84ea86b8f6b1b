"""safetensors files whose bytes depend on nothing but their contents.

The writer of the safetensors package puts a header's entries in an order that changes from process
to process, so two runs of the same work would give different files. This one sorts them; the
files are read with the package itself. Format: https://github.com/huggingface/safetensors#format
"""

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from leitmotif.files import atomic, kind_of

_DTYPES = {
    "float16": "F16", "float32": "F32", "float64": "F64", "int16": "I16", "int32": "I32",
    "int64": "I64", "uint8": "U8",
}  # fmt: skip
_ALIGNMENT = 8


@dataclass(frozen=True)
class TensorFile:
    """A serialised file, not yet on disk: its pieces in order, their length and their SHA-256."""

    pieces: tuple[memoryview, ...]
    bytes: int
    sha256: str

    def write(self, path: Path) -> None:
        """Write the file, atomically."""
        with atomic(path) as temporary, temporary.open("wb", buffering=0) as file:
            for piece in self.pieces:
                rest = piece
                while rest:  # a raw write may take less than it is given
                    rest = rest[file.write(rest) :]


def on_grid(values: NDArray[np.floating], *, bits: int = 16) -> NDArray[np.float32]:
    """Round to the nearest multiple of 2^-bits and store as float32.

    Computed in float64, a value that differs between processors by 1e-14 falls across the boundary
    of such a step once in some 1e9 values; across one of float32's own, a thousand times as often.
    """
    step = 2.0**-bits
    return np.ascontiguousarray(np.round(values / step) * step, dtype=np.float32)


def with_digits(values: NDArray[np.floating], *, bits: int = 16) -> NDArray[np.float32]:
    """Round to ``bits`` significant binary digits and store as float32; see ``on_grid``."""
    mantissa, exponent = np.frexp(np.asarray(values, dtype=np.float64))
    return np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits).astype(np.float32)


def serialise(
    tensors: Mapping[str, NDArray[np.generic]], metadata: Mapping[str, str]
) -> TensorFile:
    """Lay out named arrays and text metadata as one safetensors file.

    Arrays are of the types in ``_DTYPES``. Their memory is used as it is where it is
    contiguous: do not change them until written.
    Raises KeyError for another dtype.
    """
    # Wide types first, as the package does, so that every tensor is aligned to its own width.
    names = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    pieces, offset = [], 0
    for name in names:
        array = np.ascontiguousarray(tensors[name])
        header[name] = {
            "dtype": _DTYPES[array.dtype.name],
            "shape": list(tensors[name].shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
        pieces.append(little_endian.reshape(-1).view(np.uint8).data)
        offset += array.nbytes
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    pieces = [memoryview(len(text).to_bytes(8, "little") + text), *pieces]
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return TensorFile(tuple(pieces), sum(piece.nbytes for piece in pieces), digest.hexdigest())


def write_tensors(
    path: Path, tensors: Mapping[str, NDArray[np.generic]], metadata: Mapping[str, str]
) -> None:
    """Write named arrays and text metadata to ``path``, atomically; see ``serialise``."""
    serialise(tensors, metadata).write(path)


def open_tensors(path: Path, framework: str) -> Any:
    """Open a file as ``safe_open`` does, which of a pipe would wait, perhaps for ever.

    Raises OSError for what is no file, and SafetensorError for another content.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise OSError(f"{kind_of(mode)} is there in place of a file")
    return safe_open(path, framework=framework)


def read_tensors(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read the arrays and the text metadata of a file; raises OSError and SafetensorError."""
    with open_tensors(path, "np") as file:
        return {name: file.get_tensor(name) for name in [*file.keys()]}, file.metadata() or {}


def map_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Map the arrays of a file, read-only, without bringing their values into memory.

    The file must be whole, as ``serialise`` lays it out. Raises OSError for one that is not there.
    """
    content = np.memmap(path, np.uint8, mode="r")
    first = 8 + int.from_bytes(content[:8].tobytes(), "little")
    names = {code: np.dtype(name).newbyteorder("<") for name, code in _DTYPES.items()}
    arrays = {}
    for name, entry in json.loads(content[8:first].tobytes()).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = content[first + begin : first + end].view(names[entry["dtype"]])
            arrays[name] = values.reshape(entry["shape"])
    return arrays
