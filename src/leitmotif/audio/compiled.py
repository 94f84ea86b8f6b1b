"""What numba compiles for librosa, kept safely where several processes use one cache.

numba numbers the functions that it keeps by those that are there, without a lock. Two processes
that compile different types of one function at the same moment can take one number; every later
process then runs the wrong machine code, and crashes.
"""

from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any

from filelock import FileLock


@cache
def lock_compiled() -> None:
    """Let numba read and write its cache under a lock, from now on and in this process.

    To be called before librosa is first used, which loads numba. Nothing waits once everything is
    compiled, since a reading takes well below a millisecond.
    """
    from numba.core.caching import IndexDataCacheFile  # here, as it takes 0.2 s

    for name in ("load", "save"):
        setattr(IndexDataCacheFile, name, _locked(getattr(IndexDataCacheFile, name)))


def _locked(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def alone(self: Any, *arguments: Any) -> Any:
        index = Path(self._index_path)
        if not index.parent.is_dir():  # nothing was kept yet, so that there is nothing to read
            return method(self, *arguments)
        lock = FileLock(index.with_suffix(".lock"))
        try:
            lock.acquire()
        except OSError:  # a folder into which nobody can write, or a file system without locks
            return method(self, *arguments)
        try:
            return method(self, *arguments)
        finally:
            lock.release()

    return alone
