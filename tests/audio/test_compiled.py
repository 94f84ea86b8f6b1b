"""What numba keeps compiled, written by several at once."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import librosa
import numpy as np
import pytest
from filelock import FileLock
from numba.core.caching import IndexDataCacheFile

from leitmotif.audio.compiled import COMPILED_AT_IMPORT, lock_compiled
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


MODULE = """
from numba import guvectorize

@guvectorize(["void(float64[:], float64[:])"], "(n)->(n)", cache=True)
def doubled(x, y):
    y[:] = 2 * x
"""
PROGRAM = """
import sys
import time

import numpy as np
from numba import njit
from numba.core.caching import IndexDataCacheFile

from leitmotif.audio.compiled import import_alone

role = sys.argv[1]
kept = IndexDataCacheFile.save

def late(self, *arguments):
    # The function of the other one is kept last, and the wrapper of this one.
    wrapper = self._index_name.startswith("guf-")
    time.sleep({("this", True): 4.0, ("other", False): 2.0}.get((role, wrapper), 0.0))
    kept(self, *arguments)

IndexDataCacheFile.save = late
if role == "other":
    njit(lambda x: x)(1)  # so that this process makes up other names
print("begins", flush=True)
sys.stdin.readline()
import_alone(["house.ufuncs"])
from house.ufuncs import doubled

assert doubled(np.ones(3)).tolist() == [2, 2, 2]
"""


@pytest.mark.fault(
    "compiled functions of librosa",
    "a generalised ufunc compiled by two processes at once",
    outcome="later processes read both of its files from one of them",
)
def test_the_two_files_of_a_ufunc_are_of_one_process(tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "__init__.py").touch()
    (tmp_path / "house" / "ufuncs.py").write_text(MODULE)

    def begin(role: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, role],
            cwd=tmp_path, text=True, stdin=pipe, stdout=pipe,
        )  # fmt: skip

    both = [begin(role) for role in ("this", "other")]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.close()  # go
    assert [process.wait() for process in both] == [0, 0]
    later = begin("this")
    later.communicate()
    assert later.returncode == 0


def test_every_module_that_compiles_at_import_is_imported_alone() -> None:
    folder = Path(librosa.__file__).parent
    modules = {
        ".".join(path.relative_to(folder.parent).with_suffix("").parts)
        for path in folder.rglob("*.py")
        if "guvectorize(" in path.read_text()
    }
    assert modules - {"librosa.beat"} == set(COMPILED_AT_IMPORT)  # nothing here asks for beats


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
