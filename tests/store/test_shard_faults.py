"""Faults of stores with shards: kills, damaged files, and files in another's place."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from leitmotif.errors import LeitmotifError, StoreError
from leitmotif.files import write_table
from leitmotif.store.reading import ActivationStore, verify
from leitmotif.store.reading.index import SHARDS, ShardRow, read_index, write_index
from leitmotif.store.reading.layout import LAYOUT, StoreLayout
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tensors import serialise
from tests.store.sharding import MakeTrack, Write, contents


class Killed(BaseException):
    """What no code catches."""


def kill_at(patch: pytest.MonkeyPatch, last: int) -> Callable[[], int]:
    """End the run in place of the ``last``-th naming or deletion of a file; gives their number."""
    count = itertools.count(1)
    seen = 0

    def counted(act: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object, **settings: object) -> object:
            nonlocal seen
            seen = next(count)
            if 0 < last <= seen:
                raise Killed
            return act(*arguments, **settings)

        return step

    patch.setattr(Path, "replace", counted(Path.replace))
    patch.setattr(Path, "unlink", counted(Path.unlink))
    return lambda: seen


@pytest.mark.fault("store with shards", "killed at any moment", outcome="resumed, the same bytes")
def test_killed_at_any_moment_it_resumes_to_the_same_bytes(
    tracks: list[ManifestTrack], write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks = tracks[:4]
    with monkeypatch.context() as patch:
        steps = kill_at(patch, 0)
        write(tmp_path / "whole", tracks, cache=tmp_path / "unbroken")
    whole = contents(tmp_path / "whole")
    assert steps() > 40
    for last in range(1, steps(), 5):
        cache = tmp_path / f"work{last}"
        with monkeypatch.context() as patch:
            kill_at(patch, last)
            with pytest.raises(Killed):
                write(tmp_path / f"killed{last}", tracks, cache=cache)
        write(tmp_path / f"resumed{last}", tracks, cache=cache)
        assert contents(tmp_path / f"resumed{last}") == whole
        assert list((cache / "activations").glob("[!.]*")) == [], "loose tensors are left"


PROGRAM = """
import itertools, os, signal, sys
from pathlib import Path
from leitmotif.config import ActivationsParams
from leitmotif.files import read_table
from leitmotif.musicgen import HookedMusicGen
from leitmotif.store.reading.index import write_index
from leitmotif.store.reading.layout import StoreLayout
from leitmotif.store.writing.parts import StoreReading, built
from leitmotif.tables.corpus import ManifestTrack
from tests.store.conftest import MODEL, SITES
from tests.tiny import tiny_musicgen

def load():
    return HookedMusicGen.from_transformers(tiny_musicgen())

root, out, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
count, replace = itertools.count(1), Path.replace

def counted(self, target):
    if next(count) == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)

Path.replace = counted
params = ActivationsParams(sites=SITES, prompt="none", dtype="float16", max_failures=0)
reading = StoreReading(load, MODEL, params, root / "corpus", out.with_suffix(".work"))
tracks = read_table(root / "tracks.jsonl", ManifestTrack)
parts = list(built(reading, out, tracks, shown="", layout=StoreLayout(0, 2.0)))
write_index(out, [row for part in parts for row in part.rows])
"""


@pytest.mark.fault("store with shards", "kill -9 among workers", outcome="resumed, the same bytes")
def test_a_process_that_is_killed_among_its_workers_is_continued(
    make_track: MakeTrack, write: Write, tmp_path: Path
) -> None:
    tracks = [make_track(f"{number}", 0.1, seed=number) for number in range(24)]
    write_table(tmp_path / "tracks.jsonl", tracks)
    write(tmp_path / "whole", tracks, StoreLayout(0, 2.0))

    def run(last: int) -> int:
        command = [sys.executable, "-c", PROGRAM, tmp_path, tmp_path / "killed", f"{last}"]
        environment = {**os.environ, "LEITMOTIF_WORKERS": "2"}
        return subprocess.run(command, check=False, env=environment).returncode

    assert run(8) == -signal.SIGKILL  # in place of its eighth file: a shard, or a copy of one
    shutil.rmtree(tmp_path / "killed")  # as DVC does
    assert run(0) == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


@pytest.mark.fault(
    "store with shards", "a packed shard damaged in the work cache", outcome="computed again"
)
@pytest.mark.parametrize("damage", ["a flipped bit", "a lost end", "nothing left"])
def test_a_damaged_shard_of_the_work_cache_is_made_again(
    damage: str, tracks: list[ManifestTrack], write: Write, tmp_path: Path
) -> None:
    done = write(tmp_path / "0", tracks)
    victim = max((tmp_path / "work/shards").rglob("*.safetensors"))
    row = next(row for row in done.rows if row.sha256 in victim.name)
    content = victim.read_bytes()
    flipped = bytes([*content[:-1], content[-1] ^ 1])
    victim.write_bytes({"a flipped bit": flipped, "a lost end": content[:-4]}.get(damage, b""))
    again = write(tmp_path / "1", tracks)
    assert again.captured == len(row.stored)
    assert contents(tmp_path / "0") == contents(tmp_path / "1")


def shard_with(store: Path, track: str, site: str = "layers.1.residual") -> Path:
    stored = [one for row in read_index(store) for one in row.stored]
    return store / next(one.file for one in stored if (one.site, one.track_id) == (site, track))


@pytest.mark.fault("store with shards", "a flipped bit in any file", outcome="found by full check")
@given(data=st.data())
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_full_check_finds_any_flipped_bit(store: Path, data: st.DataObject) -> None:
    victim = data.draw(st.sampled_from(sorted(p for p in store.rglob("*") if p.is_file())))
    original = victim.read_bytes()
    content = bytearray(original)
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    victim.write_bytes(content)
    try:
        assert verify(store, full=True)
    except LeitmotifError as error:
        assert victim.name == SHARDS and SHARDS in str(error)  # noqa: PT017, PT018
    finally:
        victim.write_bytes(original)


@pytest.mark.fault("store with shards", "shards torn, missing, added, renamed", outcome="named")
def test_what_is_wrong_with_a_shard_is_named(store: Path) -> None:
    torn = shard_with(store, "11")
    content = torn.read_bytes()
    torn.write_bytes(content[:-100])
    with pytest.raises(StoreError, match=r"(?s)shard\..*cannot be read.*leitmotif verify --full"):
        ActivationStore(store).load("layers.1.residual", "11")
    (problem,) = verify(store)
    assert problem.what == f"{len(content) - 100:,} bytes, not {len(content):,}"

    torn.unlink()
    with pytest.raises(StoreError, match="is missing"):
        ActivationStore(store).load("layers.1.residual", "11")
    with pytest.raises(StoreError, match="track '111' is not in"):
        ActivationStore(store).load("layers.1.residual", "111")
    torn.with_name("shard.2.safetensors").write_bytes(content)
    assert {problem.what for problem in verify(store)} == {"missing", "not in the index"}


@pytest.mark.fault(
    "store with shards", "another site's shard, or a tensor's file, in its place", outcome="refused"
)
def test_another_file_in_a_shards_place_is_not_read(
    store: Path, write: Write, tracks: list[ManifestTrack], tmp_path: Path
) -> None:
    place = shard_with(store, "11")
    shutil.copy(shard_with(store, "11", "layers.2.mlp"), place)
    with pytest.raises(StoreError, match="not the tensor of the index"):
        ActivationStore(store).load("layers.1.residual", "11")
    write(tmp_path / "plain", tracks, LAYOUT, sites=["layers.1.residual"])
    shutil.copy(tmp_path / "plain/layers.1.residual/11.safetensors", place)
    with pytest.raises(StoreError, match=r"(?s)other tensors.*found: +activations.*expected: 11"):
        ActivationStore(store).load("layers.1.residual", "11")


@pytest.mark.fault(
    "store with shards", "a tensor that is missing, a shard of another version", outcome="named"
)
def test_a_missing_tensor_and_another_version_are_named(store: Path) -> None:
    place = shard_with(store, "11")
    with safe_open(place, framework="np") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del tensors["11"]
    serialise({"other": np.zeros((1, 1), np.float16), **tensors}, metadata).write(place)
    with pytest.raises(StoreError, match=r"(?s)has other tensors.*other.*expected: 11"):
        ActivationStore(store).load("layers.1.residual", "11")
    serialise(tensors, {**metadata, ".format": "leitmotif-shard/2"}).write(place)
    with pytest.raises(StoreError, match=r"(?s)another version.*leitmotif-shard/2"):
        ActivationStore(store).load("layers.1.residual", "11")
    rows = [
        row.model_copy(update={"bytes": place.stat().st_size}) if store / row.file == place else row
        for row in read_index(store)
    ]
    write_index(store, rows)
    (problem,) = verify(store)
    assert "another version" in problem.what


def test_a_shard_with_a_track_of_another_and_a_track_twice_are_found(store: Path) -> None:
    first, *rest = read_index(store)
    other = next(row for row in rest if isinstance(row, ShardRow) and row.site == first.site)
    wrong = first.model_copy(update={"tracks": other.tracks, "frames": other.frames})
    write_index(store, [wrong, *rest])
    problems = " ".join(map(str, verify(store)))
    assert "tracks of other shards" in problems
    assert "more than once at" in problems
