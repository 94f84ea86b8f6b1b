"""What numba compiles for librosa, kept safely where several processes use one cache.

numba keeps what it has compiled in files that all processes read, and writes them without a lock.
Two things go wrong where two processes compile at the same moment, and either makes every later
process crash, until the files are removed:

- Functions are numbered by those that are there, so two types of one function can take one number.
- A generalised ufunc is two files, the function and a wrapper that calls it by a name which each
  process makes up for itself. One may be kept from each process
  (https://github.com/numba/numba/issues/10128).
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, wraps
from importlib import import_module
from pathlib import Path
from typing import Any

from filelock import FileLock

COMPILED_AT_IMPORT = ("librosa.util.utils", "librosa.core.audio", "librosa.core.pitch")
"""The modules with generalised ufuncs, which numba compiles while they are imported."""


@cache
def lock_compiled() -> None:
    """Let numba read and write its cache under a lock, from now on and in this process.

    To be called before librosa is first used, which loads numba. Nothing waits once everything is
    compiled, since a reading takes well below a millisecond.
    """
    from numba.core.caching import IndexDataCacheFile  # here, as it takes 0.2 s

    for name in ("load", "save"):
        setattr(IndexDataCacheFile, name, _locked(getattr(IndexDataCacheFile, name)))
    import_alone(COMPILED_AT_IMPORT)


def import_alone(modules: Sequence[str]) -> None:
    """Import modules of one package while no other process imports any of the package this way.

    So one process compiles all that is compiled at import, and the others read what it kept.
    """
    package = modules[0].partition(".")[0]
    folder = Path(import_module(package).__path__[0])
    if not os.access(folder, os.W_OK):  # numba then keeps what it compiles in the user's own folder
        folder = Path(tempfile.gettempdir())
    with _alone(folder / f".{package}-{os.getuid()}.lock"):
        for module in modules:
            import_module(module)


def _locked(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def alone(self: Any, *arguments: Any) -> Any:
        index = Path(self._index_path)
        if not index.parent.is_dir():  # nothing was kept yet, so that there is nothing to read
            return method(self, *arguments)
        with _alone(index.with_suffix(".lock")):
            return method(self, *arguments)

    return alone


def _alone(path: Path) -> AbstractContextManager[Any]:
    """Hold a lock; nothing where it cannot be had: no right to write, or no locks."""
    lock = FileLock(path)
    try:
        return lock.acquire()
    except OSError:
        return nullcontext()
