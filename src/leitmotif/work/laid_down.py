"""A function and its arguments in one file, which several processes read without copying arrays.

What pickles as a buffer (protocol 5, https://peps.python.org/pep-0574: arrays, data frames) lies
behind the pickled rest, and a process that reads it maps the file into its memory: the pages are
there once for all processes, and read-only.
"""

import mmap
import os
import pickle
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import cloudpickle

_ALIGNED = 64
"""Bytes at multiples of which arrays begin, as those that are made in memory do."""
_SHARED_MEMORY = Path("/dev/shm")
_ROOM = 2 << 30
"""Bytes that must be free in shared memory; else the folder for temporary files is taken."""


def make_folder() -> Path:
    """A new folder, in memory where the system has room for that."""
    below = None
    usable = _SHARED_MEMORY.is_dir() and os.access(_SHARED_MEMORY, os.W_OK | os.X_OK)
    if usable and shutil.disk_usage(_SHARED_MEMORY).free >= _ROOM:
        below = _SHARED_MEMORY
    return Path(tempfile.mkdtemp(prefix="leitmotif-", dir=below))


def lay_down(value: object, path: Path) -> None:
    """Write a value that cloudpickle can take into a new file; raises FileExistsError."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = cloudpickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    parts = [memoryview(pickled), *(buffer.raw() for buffer in buffers)]
    with path.open("xb") as file:
        pickle.dump([part.nbytes for part in parts], file)
        for part in parts:
            file.write(b"\0" * (-file.tell() % _ALIGNED))
            file.write(part)


@lru_cache(maxsize=1)
def take_up(path: Path) -> Any:
    """The value in a file, the same one each time; its arrays cannot be written."""
    with path.open("rb") as file:
        sizes = pickle.load(file)
        end = file.tell()
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    parts = []
    for size in sizes:
        begin = end + -end % _ALIGNED
        end = begin + size
        parts.append(mapped[begin:end])
    return pickle.loads(parts[0], buffers=parts[1:])
