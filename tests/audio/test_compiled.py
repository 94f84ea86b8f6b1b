"""What numba keeps compiled, written by several at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from filelock import FileLock
from numba.core.caching import IndexDataCacheFile

from leitmotif.audio.compiled import lock_compiled
from leitmotif.audio.features import extract_features
from leitmotif.recurrence.search.views import make_views

KEYS = [f"{writer}-{number}" for writer in range(4) for number in range(8)]


def cache_of(folder: Path) -> IndexDataCacheFile:
    return IndexDataCacheFile(str(folder), "function", "stamp")


@pytest.fixture
def unlocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """numba's own methods, whatever ran before in this process, which is as it was afterwards."""
    locked_before = hasattr(IndexDataCacheFile.save, "__wrapped__")
    for name in ("load", "save"):
        method = getattr(IndexDataCacheFile, name)
        monkeypatch.setattr(IndexDataCacheFile, name, getattr(method, "__wrapped__", method))
    lock_compiled.cache_clear()
    yield
    lock_compiled.cache_clear()
    if locked_before:
        lock_compiled()  # of methods that give way to the locked ones of before


@pytest.mark.fault(
    "compiled functions of librosa",
    "written by several processes at once",
    outcome="each is read back as itself",
)
@pytest.mark.usefixtures("unlocked")
def test_what_several_write_at_once_is_read_back(tmp_path: Path) -> None:
    lock_compiled()
    start = Barrier(4)

    def write(writer: int) -> None:
        start.wait()
        for key in KEYS:
            if key.startswith(f"{writer}-"):
                cache_of(tmp_path).save(key, f"code of {key}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert {key: cache_of(tmp_path).load(key) for key in KEYS} == {
        key: f"code of {key}" for key in KEYS
    }


@pytest.mark.usefixtures("unlocked")
@pytest.mark.parametrize("first", ["features", "views"])
def test_it_is_locked_before_librosa_is_used(first: str) -> None:
    """By whatever of this package uses librosa first."""
    samples = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    if first == "features":
        extract_features(samples)
    else:
        make_views(samples, 32_000, rate=10.0)
    assert hasattr(IndexDataCacheFile.save, "__wrapped__")
    assert hasattr(IndexDataCacheFile.load, "__wrapped__")


def test_a_cache_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    lock_compiled()
    assert cache_of(tmp_path / "none").load("key") is None
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("unlocked")
def test_where_no_lock_can_be_had_the_cache_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of another user, for example."""
    lock_compiled()
    cache_of(tmp_path).save("key", "code")

    def refused(self: FileLock) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(FileLock, "acquire", refused)
    assert cache_of(tmp_path).load("key") == "code"
